import type { IncomingMessage, ServerResponse } from "node:http";
import { connect as dial, type Socket } from "node:net";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { startRegistry, type Registry, type RegistryOptions } from "../../src/demo/registry.ts";
import type { Connect } from "../../src/tunnel/types.ts";

/** What answers instead of the registry. It may leave the response open. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => void;

/** The embedded registry, with faults to order, reached by streams that are no net.Socket, as a tunnel's are. */
export interface FaultyRegistry extends AsyncDisposable {
  readonly registry: Registry;
  readonly connect: Connect;
  /** Connections that were opened. */
  readonly connections: number;
  /**
   * Answers the next requests whose `METHOD /path` fits with a fault.
   *
   * @param times - how many of them, one unless given
   */
  fault(pattern: RegExp, fault: Fault, times?: number): void;
  /** Breaks the connection over which this many more bytes have gone to the registry. */
  cutAfter(bytes: number): void;
  /** `METHOD /path` of the requests since the last call, without queries and upload ids. */
  takeRequests(): string[];
}

export async function startFaultyRegistry(options: RegistryOptions = {}): Promise<FaultyRegistry> {
  const registry = await startRegistry(options);
  const faults: { pattern: RegExp; fault: Fault; left: number }[] = [];
  const budget = { bytes: Infinity };
  let connections = 0;
  registry.onRequest = (request, response) => {
    const line = `${request.method ?? ""} ${request.url ?? ""}`;
    const next = faults.find(({ pattern, left }) => left > 0 && pattern.test(line));
    if (!next) return false;
    next.left -= 1;
    next.fault(request, response);
    return true;
  };
  return {
    registry,
    get connections() {
      return connections;
    },
    async connect() {
      connections += 1;
      return new CuttableStream(await open(registry.port), budget);
    },
    fault: (pattern, fault, left = 1) => void faults.push({ pattern, fault, left }),
    cutAfter: (bytes) => (budget.bytes = bytes),
    takeRequests: () =>
      registry.requests
        .splice(0)
        .map((line) => line.replace(/\?.*$/, "").replace(/(uploads\/)[^/]+$/, "$1ID")),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** Answers with a status, after reading the request or at once, and with a body of a type that fits it. */
export function answers(
  status: number,
  body: string | object = "",
  headers: Record<string, string> = {},
): Fault {
  return (request, response) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const type =
      typeof body === "object"
        ? "application/json"
        : text.startsWith("<")
          ? "text/html"
          : "text/plain";
    response.writeHead(status, { "content-type": type, ...headers });
    response.end(request.method === "HEAD" ? undefined : text);
  };
}

/** An error document of the distribution specification. */
export function refuses(status: number, code: string, message = "", detail?: unknown): Fault {
  return answers(status, { errors: [{ code, message, detail }] });
}

export const hangsUp: Fault = (request) => {
  request.socket.destroy();
};

async function open(port: number): Promise<Socket> {
  const socket = dial({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  return socket;
}

class CuttableStream extends Duplex {
  readonly #socket: Socket;
  readonly #budget: { bytes: number };

  constructor(socket: Socket, budget: { bytes: number }) {
    super();
    this.#socket = socket;
    this.#budget = budget;
    socket.on("data", (chunk: Buffer) => this.push(chunk) || socket.pause());
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    if (chunk.length < this.#budget.bytes) {
      this.#budget.bytes -= chunk.length;
      this.#socket.write(chunk, done);
      return;
    }
    const last = chunk.subarray(0, this.#budget.bytes);
    this.#budget.bytes = Infinity;
    this.#socket.write(last, () => done(new Error("the tunnel broke")));
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
