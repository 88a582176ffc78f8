import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { kubectl } from "./kubectl.ts";

/** A link of its own to the API server, slower than this machine's. */
export interface SlowLink extends AsyncDisposable {
  /** A kubeconfig that leads over it, as text. */
  readonly kubeconfig: string;
  /** Bytes that went to the cluster. */
  readonly sent: number;
  /** Resolves as soon as that many bytes went to the cluster. */
  passed(bytes: number): Promise<void>;
}

/** How much passes at once: a hundredth of a second's worth, as a queue of a router holds. */
const sharesOfSecond = 100;

/**
 * @param rate - bytes a second in each direction, for all connections together
 * @param roundTrip - milliseconds that it takes at least until what was sent is answered
 */
export async function slowLink(rate: number, roundTrip = 0): Promise<SlowLink> {
  const view = ["config", "view", "--raw", "--flatten", "--minify", "-o", "json"];
  const config = JSON.parse(await kubectl(view)) as {
    clusters: { cluster: { server: string; "tls-server-name"?: string } }[];
  };
  const [{ cluster } = { cluster: { server: "" } }] = config.clusters;
  const { hostname, port } = new URL(cluster.server);
  const sockets = new Set<Socket>();
  const passed = { up: 0, down: 0 };
  const waiting = new Set<() => void>();

  const pass = (from: Socket, to: Socket, direction: keyof typeof passed) => {
    from.on("data", (data: Buffer) => {
      passed[direction] += data.length;
      for (const check of waiting) check();
      from.pause();
      if (roundTrip > 0) {
        void Promise.all([wait(roundTrip / 2), turn(direction, data.length)]).then(() => {
          to.write(data);
          from.resume();
        });
        return;
      }
      const written = to.write(data) ? Promise.resolve() : once(to, "drain").catch(() => undefined);
      void Promise.all([written, turn(direction, data.length)]).then(() => from.resume());
    });
    from.on("error", () => undefined);
    from.on("end", () => to.end());
    from.on("close", () => {
      sockets.delete(from);
      to.destroySoon();
    });
  };
  /** When all that has passed before has had its time; a link that was idle has nothing saved up. */
  const free = { up: 0, down: 0 };
  const turn = (direction: keyof typeof passed, bytes: number) => {
    const now = performance.now();
    free[direction] = Math.max(free[direction], now) + (bytes / rate) * 1000;
    const ahead = free[direction] - now - 1000 / sharesOfSecond;
    return ahead > 0 ? wait(ahead) : undefined;
  };

  const wait = (milliseconds: number) =>
    new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: hostname, port: Number(port || "443"), allowHalfOpen: true });
    for (const socket of [near, far]) sockets.add(socket);
    pass(near, far, "up");
    pass(far, near, "down");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cluster.server = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  cluster["tls-server-name"] ??= "kubernetes"; // a name that every API server's certificate has
  return {
    kubeconfig: JSON.stringify(config),
    get sent() {
      return passed.up;
    },
    passed: (bytes) =>
      new Promise((resolve) => {
        const check = () => {
          if (passed.up < bytes) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
