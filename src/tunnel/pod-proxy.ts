import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { duplexPair, type Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { KpushError } from "../errors.ts";
import { Credentials } from "./credentials.ts";
import { OpenFailure, podOf } from "./failures.ts";
import { Pin } from "./pin.ts";
import { askThroughProxy, refusalOf, type ProxyAnswer } from "./proxy-request.ts";
import type { Tunnel, TunnelOptions, TunnelTarget } from "./types.ts";

/** One stream that `connect()` gave, and the pod that its requests go to. */
interface Lane {
  near: Duplex;
  target: TunnelTarget;
  /** Aborted when nobody waits for an answer any more. */
  signal: AbortSignal;
}

/**
 * A way to the registry for those who may not forward a port but may use the API server's proxy to pods:
 * `…/pods/NAME:PORT/proxy/`. It carries requests, not bytes. So at the far end of each stream stands an
 * HTTP server in this process, which sends every request on by the proxy, with the rights of the
 * kubeconfig; bodies stream both ways.
 */
export function openProxyTunnel(options: ProxyTunnelOptions): Tunnel {
  return new ProxyTunnel(options);
}

export interface ProxyTunnelOptions extends TunnelOptions {
  /**
   * Fails a stream on an error that does not look like a registry's own: there is another way, and what
   * stands before an API server may limit what a request carries.
   */
  mistrusts?: boolean;
}

class ProxyTunnel implements Tunnel {
  readonly #options: ProxyTunnelOptions;
  readonly #pin: Pin;
  readonly #credentials: Credentials;
  readonly #server: Server;
  readonly #lanes = new Map<unknown, Lane>();
  readonly #abort = () => this.#end(this.#options.signal.reason as Error);
  #firstError: KpushError | undefined;

  constructor(options: ProxyTunnelOptions) {
    this.#options = options;
    this.#pin = new Pin(options.pin);
    this.#credentials = new Credentials(options.refreshCredentials);
    // It listens nowhere. A body may take as long as it likes, and a stream is idle between two images.
    const forever = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 };
    this.#server = createServer(forever, (request, response) => {
      void this.#relay(request, response);
    });
    options.signal.addEventListener("abort", this.#abort, { once: true });
  }

  readonly connect = async (): Promise<Duplex> => {
    this.#options.signal.throwIfAborted();
    const target = await this.#pin.target();
    const [near, far] = duplexPair();
    const gone = new AbortController();
    this.#lanes.set(far, { near, target, signal: gone.signal });
    near.once("close", () => {
      gone.abort(new Error("nobody waits for the answer"));
      this.#lanes.delete(far);
      far.destroy();
    });
    near.on("error", () => undefined); // told by #fail; nobody may listen any more
    far.on("error", () => near.destroy());
    this.#server.emit("connection", far);
    return near;
  };

  keepSpares(): void {
    // Requests share the API server's kept connections: there is nothing to open ahead.
  }

  takeError(): KpushError | undefined {
    const error = this.#firstError;
    this.#firstError = undefined;
    return error;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal.removeEventListener("abort", this.#abort);
    this.#end(new KpushError("TUNNEL_FAILED", "the tunnel is closed"));
    return Promise.resolve();
  }

  #end(reason: Error): void {
    for (const { near } of this.#lanes.values()) near.destroy(reason);
  }

  async #relay(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const lane = this.#lanes.get(request.socket);
    if (!lane) return;
    const { epoch } = this.#credentials;
    try {
      const { config, mistrusts } = this.#options;
      const answer = await askThroughProxy({ config, request, ...lane });
      this.#credentials.accepted(epoch);
      if (mistrusts && isStranger(answer)) throw stranger(answer);
      await pass(answer, response);
    } catch (error) {
      if (!lane.signal.aborted) await this.#fail(lane, epoch, error);
    }
  }

  /** Fails the stream: a part of an answer must never be taken for the whole. */
  async #fail({ near, target }: Lane, epoch: number, reason: unknown): Promise<void> {
    const kind = reason instanceof OpenFailure ? reason.kind : "transient";
    let error = reason instanceof OpenFailure ? reason.error : this.#explain(reason);
    if (kind === "unauthorized") {
      // With new credentials the next stream serves.
      await this.#credentials.refused(epoch, error).catch((refusal: unknown) => {
        if (refusal instanceof KpushError) error = refusal;
      });
    } else if (kind !== "forbidden") this.#pin.doubt(target, error);
    this.#firstError ??= error;
    near.destroy(error);
  }

  #explain(reason: unknown): KpushError {
    return reason instanceof KpushError ? reason : this.#options.explainFailure(reason);
  }
}

/** Registries name their API in each answer (Docker's registry API v2, "API version check"). */
function isStranger({ status, headers, body }: ProxyAnswer): boolean {
  const named = headers["docker-distribution-api-version"] !== undefined;
  return status >= 400 && body instanceof Buffer && !named;
}

function stranger({ status, target }: ProxyAnswer): KpushError {
  const message = `the proxy to pods answered ${status} for ${podOf(target)}`;
  return new KpushError("TUNNEL_FAILED", message);
}

async function pass(answer: ProxyAnswer, response: ServerResponse): Promise<void> {
  const refusal = refusalOf(answer);
  if (refusal) throw refusal;
  response.writeHead(answer.status, answer.headers);
  if (answer.body instanceof Buffer) response.end(answer.body);
  else await pipeline(answer.body, response);
}
