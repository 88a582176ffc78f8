import { once } from "node:events";
import { Agent as HttpAgent, createServer as createHttpServer } from "node:http";
import type { IncomingMessage } from "node:http";
import { Agent as HttpsAgent, createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { KubeConfig } from "@kubernetes/client-node";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { selfSignedCertificate } from "../../src/demo/certificate.ts";

/** One port-forward WebSocket, as the container runtime sees it. */
export interface Session {
  readonly webSocket: WebSocket;
  readonly request: IncomingMessage;
  readonly pod: string;
  readonly port: number;
  /** Sizes of all messages that came, with their channel byte. */
  readonly messageSizes: number[];
  /** What came on the data channel so far. */
  readonly received: Buffer;
  /** Sends both port frames. */
  open: () => void;
  say: (channel: number, payload: string | Uint8Array) => void;
  /** Sends an error text on channel 1 and closes as the runtime does. */
  fail: (text: string) => void;
  /** Resolves when so many bytes have come. */
  take: (bytes: number) => Promise<Buffer>;
}

export interface Refusal {
  status: number;
  body?: string;
}

export interface PortForwardScript {
  /** Plays the runtime; `open()` is its to call. Unless given: opens, and echoes. */
  serve?: (session: Session) => void | Promise<void>;
  /** Answers an upgrade request otherwise; undefined to upgrade. */
  refuse?: (request: IncomingMessage) => Refusal | undefined | Promise<Refusal | undefined>;
  /** False: count data, do not keep it. */
  keep?: boolean;
  tls?: boolean;
  /** In front of `/api`, as Rancher has it. */
  prefix?: string;
  /** Milliseconds that an idle kept-alive connection is kept. */
  keepAliveTimeout?: number;
}

export interface FakePortForward extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly config: Pick<KubeConfig, "getCurrentCluster" | "applyToHTTPSOptions">;
  readonly sessions: Session[];
  /** Paths of all upgrade requests. */
  readonly paths: string[];
  /** TCP connections accepted so far, and those that are open. */
  readonly connections: number;
  readonly openConnections: number;
  /** Bearer token that requests carry, to be changed by a test. */
  token: string;
}

/** A Status object as the API server answers it. */
export function status(code: number, message: string): Refusal {
  return {
    status: code,
    body: JSON.stringify({ kind: "Status", status: "Failure", code, message }),
  };
}

/**
 * An API server that knows nothing but port-forward, on a real socket, and does there what a script
 * says. It is one with the faults of real ones; `src/demo/api-server.ts` is the one without.
 */
export async function fakePortForward(script: PortForwardScript = {}): Promise<FakePortForward> {
  const { serve = echo, tls = true, prefix = "", keep = true } = script;
  const certificate = tls ? await selfSignedCertificate() : undefined;
  const server = certificate ? createHttpsServer(certificate) : createHttpServer();
  server.keepAliveTimeout = script.keepAliveTimeout ?? 5_000;
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const sockets = new Set<Socket>();
  const sessions: Session[] = [];
  const paths: string[] = [];
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  });
  server.on("request", (_request, answer) => answer.end());
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    paths.push(request.url ?? "");
    socket.on("error", () => undefined);
    void (async () => {
      const refusal = await script.refuse?.(request);
      if (refusal) {
        refuseUpgrade(socket, refusal);
        return;
      }
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        const session = newSession(webSocket, request, keep);
        sessions.push(session);
        serve(session);
      });
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `${tls ? "https" : "http"}://127.0.0.1:${port}${prefix}`;
  const agent = certificate
    ? new HttpsAgent({ keepAlive: true, ca: certificate.cert })
    : new HttpAgent({ keepAlive: true });
  const fake: FakePortForward = {
    port,
    url,
    sessions,
    paths,
    token: "first",
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
    config: {
      getCurrentCluster: () => ({ name: "fake", server: url, skipTLSVerify: false }),
      applyToHTTPSOptions: (options) => {
        Object.assign(options, { agent, headers: { Authorization: `Bearer ${fake.token}` } });
        return Promise.resolve();
      },
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
  return fake;
}

function refuseUpgrade(socket: Duplex, { status, body = "" }: Refusal): void {
  const head = `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  socket.end(head + body);
}

function newSession(webSocket: WebSocket, request: IncomingMessage, keep: boolean): Session {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://fake");
  const port = Number(searchParams.get("ports"));
  const messageSizes: number[] = [];
  const chunks: Buffer[] = [];
  let length = 0;
  let onData: (() => void) | undefined;
  const say = (channel: number, payload: string | Uint8Array) => {
    webSocket.send(Buffer.concat([Buffer.of(channel), Buffer.from(payload)]), { binary: true });
  };
  webSocket.on("error", () => undefined);
  webSocket.on("message", (data: Buffer) => {
    messageSizes.push(data.length);
    if (data[0] !== 0) return;
    length += data.length - 1;
    if (keep) chunks.push(data.subarray(1));
    onData?.();
  });
  return {
    webSocket,
    request,
    port,
    pod: decodeURIComponent(/\/pods\/([^/]+)\//.exec(pathname)?.[1] ?? ""),
    messageSizes,
    say,
    get received() {
      return Buffer.concat(chunks);
    },
    open() {
      for (const channel of [0, 1]) say(channel, Buffer.of(port & 0xff, port >>> 8));
    },
    fail(text) {
      say(1, text);
      webSocket.close(1000);
    },
    async take(bytes) {
      while (length < bytes) await new Promise<void>((resolve) => (onData = resolve));
      return Buffer.concat(chunks);
    },
  };
}

function echo(session: Session): void {
  session.open();
  session.webSocket.on("message", (data: Buffer) => {
    if (data[0] === 0 && data.length > 1) session.webSocket.send(data);
  });
}
