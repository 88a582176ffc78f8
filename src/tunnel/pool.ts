import { setMaxListeners } from "node:events";
import type { Duplex } from "node:stream";
import { asError, KpushError } from "../errors.ts";
import { Opener } from "./opener.ts";
import type { TunnelSocket } from "./socket.ts";
import { defaultTimings } from "./timings.ts";
import type { Tunnel, TunnelOptions } from "./types.ts";

interface Taker {
  resolve: (socket: Duplex) => void;
  reject: (error: unknown) => void;
}

/**
 * A tunnel to one registry: a source of sockets, each of which is a byte stream of its own. Nothing
 * is opened before the first `connect()` or `keepSpares()`.
 *
 * `connect()` outlives an expired token, one lost pod and a short outage; it rejects with a KpushError
 * where waiting is of no use: `CLUSTER_FORBIDDEN`, `CLUSTER_UNAUTHORIZED`, `CLUSTER_TLS`,
 * `CLUSTER_UNREACHABLE`, `TUNNEL_FAILED`, `REGISTRY_REFUSED`, `POD_GONE`, or what `pin` threw; with the
 * signal's reason when that is aborted.
 */
export function openTunnel(options: TunnelOptions): Tunnel {
  return new Pool(options);
}

/**
 * Who asks for a socket waits in one line, and each socket that opens goes to the first in it, else to
 * the spares. So order is fair, and a spare that is just being opened serves whoever comes.
 */
class Pool implements Tunnel {
  readonly #opener: Opener;
  readonly #signal: AbortSignal;
  readonly #maxSockets: number;
  readonly #maxHandshakes: number;
  readonly #abort = new AbortController();
  readonly #takers: Taker[] = [];
  readonly #sockets = new Set<TunnelSocket>();
  #spares: TunnelSocket[] = [];
  #wantedSpares = 0;
  /** After a spare failed, the next one waits until somebody asks: else a refusing pod is hammered. */
  #refill = false;
  #opening = 0;
  #firstError: KpushError | undefined;

  constructor(options: TunnelOptions) {
    this.#signal = options.signal;
    this.#maxSockets = options.maxSockets ?? 32;
    this.#maxHandshakes = options.maxHandshakes ?? 8;
    setMaxListeners(0, this.#abort.signal); // each handshake listens
    const timings = { ...defaultTimings, ...options.timings };
    this.#opener = new Opener(options, timings, this.#abort.signal, {
      onLost: (socket, error) => this.#lost(socket, error),
      onClose: (socket) => this.#closed(socket),
    });
    if (this.#signal.aborted) this.#aborted();
    else this.#signal.addEventListener("abort", this.#aborted);
  }

  // An arrow, since it is handed on by itself.
  readonly connect = (): Promise<Duplex> => {
    return new Promise((resolve, reject) => {
      if (this.#abort.signal.aborted) {
        reject(asError(this.#abort.signal.reason));
        return;
      }
      this.#refill = true;
      const spare = this.#spares.shift();
      if (spare) resolve(spare);
      else this.#takers.push({ resolve, reject });
      this.#fill();
    });
  };

  keepSpares(count: number): void {
    this.#wantedSpares = count;
    this.#refill = true;
    // Those beyond it are paid for, and may serve yet.
    if (count === 0) for (const spare of this.#spares.splice(0)) spare.destroy();
    this.#fill();
  }

  takeError(): KpushError | undefined {
    const error = this.#firstError;
    this.#firstError = undefined;
    return error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#aborted);
    const closed = [...this.#sockets].map(
      (socket) => new Promise((done) => socket.once("close", done)),
    );
    this.#end(new KpushError("TUNNEL_FAILED", "the tunnel is closed"));
    await Promise.all(closed);
  }

  readonly #aborted = (): void => this.#end(asError(this.#signal.reason));

  /** Ends everything at once: no byte is on its way that anyone still waits for. */
  #end(reason: Error): void {
    if (this.#abort.signal.aborted) return;
    this.#wantedSpares = 0;
    this.#abort.abort(reason);
    this.#rejectTakers(reason);
    for (const socket of this.#sockets) socket.terminate(reason);
  }

  #fill(): void {
    if (this.#abort.signal.aborted) return;
    const spares = this.#refill ? Math.max(0, this.#wantedSpares - this.#spares.length) : 0;
    const needed = this.#takers.length + spares;
    while (
      this.#opening < Math.min(needed, this.#maxHandshakes) &&
      this.#opening + this.#sockets.size < this.#maxSockets
    ) {
      this.#opening += 1;
      void this.#open();
    }
    this.#makeRoom();
  }

  /** Engines end a connection for each layer: sockets that only linger give way when none is free. */
  #makeRoom(): void {
    if (this.#opening + this.#sockets.size < this.#maxSockets) return;
    let missing = this.#takers.length - this.#opening;
    for (const socket of this.#sockets) {
      if (missing <= 0) return;
      if (!socket.lingering && !socket.destroyed) continue;
      socket.destroy();
      missing -= 1;
    }
  }

  async #open(): Promise<void> {
    try {
      this.#deliver(await this.#opener.open());
    } catch (error) {
      // Whoever else waits would wait for the same.
      this.#refill = false;
      if (error instanceof KpushError && this.#takers.length > 0) this.#remember(error);
      this.#rejectTakers(error);
    } finally {
      this.#opening -= 1;
      this.#fill();
    }
  }

  #deliver(socket: TunnelSocket): void {
    this.#sockets.add(socket);
    if (this.#abort.signal.aborted) {
      socket.terminate();
      return;
    }
    const taker = this.#takers.shift();
    if (taker) taker.resolve(socket);
    else if (this.#spares.length < this.#wantedSpares) this.#spares.push(socket);
    else socket.destroy();
  }

  #rejectTakers(error: unknown): void {
    for (const { reject } of this.#takers.splice(0)) reject(error);
  }

  #lost(socket: TunnelSocket, error: KpushError): void {
    this.#opener.doubt(socket.target, error);
    if (!this.#spares.includes(socket)) this.#remember(error);
  }

  /** Keeps the first error, unless a later one knows that the pod is gone: that explains all. */
  #remember(error: KpushError): void {
    const gone = error.code === "POD_GONE" && this.#firstError?.code !== "POD_GONE";
    if (gone || !this.#firstError) this.#firstError = error;
  }

  #closed(socket: TunnelSocket): void {
    this.#sockets.delete(socket);
    if (this.#spares.includes(socket)) {
      this.#spares = this.#spares.filter((spare) => spare !== socket);
      this.#refill = false;
    }
    this.#fill();
  }
}
