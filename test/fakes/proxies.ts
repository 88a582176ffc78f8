import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A proxy on a free port of 127.0.0.1. */
export interface FakeProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** Where it was asked to connect to, in order. */
  readonly targets: string[];
}

/**
 * An HTTP proxy that knows CONNECT alone.
 *
 * @param login - `user:password` that it wants; without it 407
 * @param to - port on 127.0.0.1 that every name leads to; else the port that was asked for
 */
export async function connectProxy({
  login,
  to,
  status = 200,
}: { login?: string; to?: number; status?: number } = {}): Promise<FakeProxy> {
  const targets: string[] = [];
  const server = createHttpServer();
  server.on("connect", (request, socket: Duplex, head: Buffer) => {
    targets.push(request.url ?? "");
    const given = request.headers["proxy-authorization"];
    if (login !== undefined && given !== `Basic ${Buffer.from(login).toString("base64")}`) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    } else if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
    } else {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      join(socket, to ?? Number((request.url ?? "").split(":").at(-1)), head);
    }
  });
  return listen(server, targets);
}

/** A SOCKS5 proxy (RFC 1928) without login, for names and IPv4 addresses. */
export async function socksProxy({ to }: { to?: number } = {}): Promise<FakeProxy> {
  const targets: string[] = [];
  const server = createServer((socket) => {
    socket.once("data", () => {
      socket.write(Buffer.of(5, 0)); // no login
      socket.once("data", (asked: Buffer) => {
        const isName = asked[3] === 3;
        const length = isName ? (asked[4] ?? 0) : 4;
        const start = isName ? 5 : 4;
        const host = isName
          ? asked.subarray(start, start + length).toString()
          : asked.subarray(start, start + 4).join(".");
        const port = asked.readUInt16BE(start + length);
        targets.push(`${host}:${port}`);
        socket.write(Buffer.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 0));
        join(socket, to ?? port, Buffer.alloc(0));
      });
    });
  });
  return listen(server, targets);
}

function join(client: Duplex, port: number, head: Buffer): void {
  const upstream = connect(port, "127.0.0.1");
  upstream.write(head);
  client.pipe(upstream).pipe(client);
  for (const end of [client, upstream])
    end.on("error", () => undefined).on("close", () => (client.destroy(), upstream.destroy()));
}

async function listen(server: Server, targets: string[]): Promise<FakeProxy> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket.on("error", () => undefined).on("close", () => sockets.delete(socket)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    targets,
    async [Symbol.asyncDispose]() {
      const closed = server[Symbol.asyncDispose]();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
