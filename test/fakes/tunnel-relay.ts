import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Connections that were cut for being idle. */
  readonly cut: number;
  /** From now on bytes vanish; nothing is closed. */
  blackHole(): void;
  /** Resets all connections. */
  reset(): void;
}

/** A TCP load balancer before a local port, with what goes wrong in those. */
export async function relay(to: number, { idle = 0 } = {}): Promise<Relay> {
  const sockets = new Set<Socket>();
  let cut = 0;
  let lost = false;
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setTimeout(idle, () => {
        cut += 1;
        near.destroy();
      });
      from.on("data", (data) => {
        if (lost) return;
        near.setTimeout(idle);
        far.setTimeout(idle);
        other.write(data);
      });
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        if (!lost) other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get cut() {
      return cut;
    },
    blackHole() {
      lost = true;
      for (const socket of sockets) socket.pause();
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      lost = true;
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
