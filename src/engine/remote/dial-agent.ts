import { Agent, type ClientRequest } from "node:http";
import type { Duplex } from "node:stream";

/** An http.Agent whose connections are streams that `dial` makes. */
export class DialAgent extends Agent {
  readonly #dial: () => Duplex;

  constructor(dial: () => Duplex) {
    super({ keepAlive: true });
    this.#dial = dial;
  }

  override createConnection(): Duplex {
    return this.#dial();
  }

  /** Node's own version wants a net.Socket. */
  override keepSocketAlive(): boolean {
    return true;
  }

  /** Node's own version calls `ref`, which only a net.Socket has. */
  override reuseSocket(socket: Duplex & { ref?: () => void }, request: ClientRequest): void {
    socket.ref ??= () => undefined;
    super.reuseSocket(socket, request);
  }
}
