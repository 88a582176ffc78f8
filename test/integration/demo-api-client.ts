import { once } from "node:events";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import { WebSocket } from "ws";
import type { ApiServer } from "../../src/demo/api-server.ts";
import { runningPod } from "../../src/demo/pods.ts";

export const protocol = "v4.channel.k8s.io";
export const pods = "/api/v1/namespaces/kube-system/pods";
export const forward = `${pods}/registry/portforward?ports=5000`;

export const nothingToDial = (): Promise<never> => Promise.reject(new Error("nothing to dial"));
export const registryPod = () =>
  runningPod({
    namespace: "kube-system",
    name: "registry",
    labels: { "k8s-app": "kube-registry" },
  });

export async function ask(
  server: ApiServer,
  path: string,
  options: { method?: string; token?: string; body?: unknown } = {},
): Promise<{ status: number | undefined; json: Record<string, unknown>; text: string }> {
  const { method = "GET", token = server.token, body } = options;
  const outgoing = request(`${server.url}${path}`, {
    method,
    ca: server.certificate,
    agent: false,
    headers: { authorization: `Bearer ${token}` },
  });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const text = (await buffer(response)).toString();
  const isJson = response.headers["content-type"] === "application/json";
  return {
    status: response.statusCode,
    text,
    json: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
  };
}

/** An open port-forward, the messages that have come, and how it ended. */
export function open(server: ApiServer, path = forward, protocols = [protocol]) {
  const socket = new WebSocket(`${server.url.replace("https", "wss")}${path}`, protocols, {
    ca: server.certificate,
    headers: { authorization: `Bearer ${server.token}` },
    perMessageDeflate: false,
  });
  const messages: Buffer[] = [];
  socket.on("message", (data: Buffer) => messages.push(data));
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  return {
    socket,
    messages,
    closed,
    /** All bytes of one channel without the port frame. */
    bytes: (channel: number) =>
      Buffer.concat(
        messages.filter(([first]) => first === channel).map((m) => m.subarray(1)),
      ).subarray(2),
    /** Resolves when so many messages are there. */
    async until(count: number) {
      while (messages.length < count) await once(socket, "message");
    },
  };
}

/** The status and body that an upgrade is refused with. */
export async function refusal(server: ApiServer, path = forward, protocols = [protocol]) {
  const { socket } = open(server, path, protocols);
  socket.on("error", () => undefined);
  const [outgoing, response] = (await once(socket, "unexpected-response")) as [
    Duplex,
    IncomingMessage,
  ];
  const text = (await buffer(response)).toString();
  outgoing.destroy();
  return { status: response.statusCode, text };
}

export const frame = (channel: number, payload: string | Buffer) =>
  Buffer.concat([Buffer.of(channel), Buffer.from(payload)]);

/** A TCP server that stands for the pod's port. */
export async function podServer(serve: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    dial: () => Promise.resolve(connect({ host: "127.0.0.1", port, allowHalfOpen: true })),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A promise and what resolves it. */
export function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
