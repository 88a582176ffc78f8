import { Agent, type ClientRequest } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Connect, SocketAgent } from "../tunnel/types.ts";

/** The types say that all are; a tunnel's stream is none. */
const isOfNet = (socket: Duplex): boolean => socket instanceof Socket;

/** An http.Agent whose sockets come from `connect()` and are kept for the next request. */
export class ConnectAgent extends Agent implements SocketAgent {
  readonly #connect: Connect;
  readonly #connectErrors = new WeakSet();
  #destroyed = false;

  /** @param maxSockets - sockets open at once; more requests wait for one */
  constructor(connect: Connect, maxSockets: number) {
    super({ keepAlive: true, maxSockets, maxFreeSockets: maxSockets });
    this.#connect = connect;
  }

  /** Whether an error of a request came from `connect()`, not from a socket that had been open. */
  isConnectError(error: unknown): boolean {
    return typeof error === "object" && error !== null && this.#connectErrors.has(error);
  }

  override createConnection(
    _options: unknown,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const fail = (error: unknown) => {
      const known = error instanceof Error ? error : new Error(String(error));
      this.#connectErrors.add(known);
      // Node takes the stream as absent where there is an error.
      callback?.(known, undefined as unknown as Duplex);
    };
    this.#connect().then((socket) => {
      if (!this.#destroyed) return callback?.(null, socket);
      socket.destroy();
      fail(new Error("the registry client was closed"));
    }, fail);
  }

  /**
   * Takes a socket that no request needs now, if there is one; it is the caller's from then on. Node's
   * own way, the event `agentRemove`, does not reach sockets that are free; and from version 26 on it
   * watches the handles of free net.Sockets, which therefore stay. New ones of those are cheap.
   */
  takeIdle(): Duplex | undefined {
    for (const sockets of Object.values(this.freeSockets)) {
      const at = sockets?.findLastIndex((one) => !one.destroyed && !isOfNet(one)) ?? -1;
      const [socket] = at < 0 ? [] : (sockets?.splice(at, 1) ?? []);
      if (socket) return socket;
    }
    return undefined;
  }

  /** Node's own version wants a net.Socket; a tunnel's stream is none. */
  override keepSocketAlive(): boolean {
    return true;
  }

  /** Node's own version does more than can be done here, and calls `ref`, which only a net.Socket has. */
  override reuseSocket(socket: Duplex & { ref?: () => void }, request: ClientRequest): void {
    socket.ref ??= () => undefined;
    super.reuseSocket(socket, request);
  }

  override destroy(): void {
    this.#destroyed = true;
    super.destroy();
  }
}
