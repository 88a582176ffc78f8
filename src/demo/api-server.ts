import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { answerApiRequest, answerText, checkAccess, type Allow } from "./api-answers.ts";
import { selfSignedCertificate, type CertificateOptions } from "./certificate.ts";
import type { Pod } from "./pods.ts";
import { portForwardProtocol, servePortForward, type Dial } from "./port-forward.ts";

export interface ApiServerOptions {
  dial: Dial;
  pods?: Pod[];
  /** Bearer token to accept; random unless given. */
  token?: string;
  /** Path in front of all others, e.g. `/k8s/clusters/c-1`, as gateways have. */
  prefix?: string;
  /** Name of the context in {@link ApiServer.kubeconfig}. */
  context?: string;
  /** What the user may do; everything unless given. */
  allow?: Allow;
  /** Milliseconds from a pod's end to the close of its WebSocket. */
  closeDelay?: number;
  certificate?: CertificateOptions;
}

/** A Kubernetes API server on a socket of its own: pods, access reviews, port-forward. */
export interface ApiServer extends AsyncDisposable {
  readonly port: number;
  /** `https://127.0.0.1:PORT` and the prefix. */
  readonly url: string;
  /** PEM certificate, which is its own authority. */
  readonly certificate: string;
  /** What it serves; change it at will. */
  pods: Pod[];
  /** The one token that is accepted; change it to make credentials expire. */
  token: string;
  allow: Allow;
  dial: Dial;
  /** Method and path with query of all that was asked, upgrades too, in order. */
  readonly requests: string[];
  /** WebSockets that are open now. */
  readonly openSockets: number;
  /** A kubeconfig (JSON, which is YAML) whose current context is this server. */
  kubeconfig(): string;
  /** Sees each request before authentication; true says that it was handled. For faults. */
  onRequest: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** The same for upgrades. */
  onUpgrade: ((request: IncomingMessage, socket: Duplex, head: Buffer) => boolean) | undefined;
}

/** Starts the server on a free port of 127.0.0.1; dispose it to drop all its connections. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { prefix = "", context = "kpush-demo", closeDelay = 1000 } = options;
  const { key, cert } = await selfSignedCertificate(options.certificate);
  const http = createServer({ key, cert });
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 32 * 1024 * 1024, // what golang.org/x/net/websocket takes
    handleProtocols: () => portForwardProtocol,
  });
  const sockets = new Set<Socket>();
  http.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;

  const server: ApiServer = {
    port,
    url: `https://127.0.0.1:${port}${prefix}`,
    certificate: cert,
    pods: options.pods ?? [],
    token: options.token ?? randomBytes(16).toString("hex"),
    allow: options.allow ?? (() => true),
    dial: options.dial,
    requests: [],
    get openSockets() {
      return webSockets.clients.size;
    },
    kubeconfig: () => JSON.stringify(kubeconfigOf(server, context), undefined, 2),
    onRequest: undefined,
    onUpgrade: undefined,
    async [Symbol.asyncDispose]() {
      const closed = http[Symbol.asyncDispose]();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };

  http.on("request", (request, response) => {
    server.requests.push(`${request.method ?? ""} ${request.url ?? ""}`);
    if (server.onRequest?.(request, response)) return;
    void answerApiRequest(server, prefix, request, response);
  });
  http.on("upgrade", (request, socket: Duplex, head) => {
    server.requests.push(`${request.method ?? ""} ${request.url ?? ""}`);
    socket.on("error", () => socket.destroy());
    if (server.onUpgrade?.(request, socket, head)) return;
    const access = checkAccess(server, prefix, request);
    if ("status" in access) {
      answerText(socket, access.status, access.body);
      return;
    }
    const { namespace, name, ports } = access;
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      servePortForward(webSocket, ports, (to) => server.dial(namespace, name, to), closeDelay);
    });
  });
  return server;
}

function kubeconfigOf(server: ApiServer, name: string): object {
  const authority = Buffer.from(server.certificate).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    contexts: [{ name, context: { cluster: name, user: name } }],
    clusters: [{ name, cluster: { server: server.url, "certificate-authority-data": authority } }],
    users: [{ name, user: { token: server.token } }],
  };
}
