import { once } from "node:events";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Duplex, PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import { runningPod } from "../../src/demo/pods.ts";

const protocol = "v4.channel.k8s.io";
const pods = "/api/v1/namespaces/kube-system/pods";
const forward = `${pods}/registry/portforward?ports=5000`;

const nothingToDial = (): Promise<never> => Promise.reject(new Error("nothing to dial"));
const registryPod = () =>
  runningPod({
    namespace: "kube-system",
    name: "registry",
    labels: { "k8s-app": "kube-registry" },
  });

async function ask(
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
function open(server: ApiServer, path = forward, protocols = [protocol]) {
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
async function refusal(server: ApiServer, path = forward, protocols = [protocol]) {
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

const frame = (channel: number, payload: string | Buffer) =>
  Buffer.concat([Buffer.of(channel), Buffer.from(payload)]);

/** A TCP server that stands for the pod's port. */
async function podServer(serve: (socket: Socket) => void) {
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

test("its kubeconfig names its address, its certificate and its token", async () => {
  await using server = await startApiServer({
    dial: nothingToDial,
    prefix: "/k8s/c-1",
    context: "here",
  });
  const config = JSON.parse(server.kubeconfig()) as {
    "current-context": string;
    clusters: { cluster: Record<string, string> }[];
    users: { user: { token: string } }[];
  };
  expect(config["current-context"]).toBe("here");
  const cluster = config.clusters[0]?.cluster;
  expect(cluster?.server).toBe(`https://127.0.0.1:${server.port}/k8s/c-1`);
  const authority = Buffer.from(cluster?.["certificate-authority-data"] ?? "", "base64").toString();
  expect(authority).toBe(server.certificate);
  expect(config.users[0]?.user.token).toBe(server.token);
});

test("pods are listed by namespace and label, as they are at the moment", async () => {
  await using server = await startApiServer({ dial: nothingToDial, pods: [registryPod()] });
  const names = async (query: string) => {
    const { json } = await ask(server, query);
    return (json["items"] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
  };
  expect(await names(`${pods}?labelSelector=k8s-app%3Dkube-registry`)).toEqual(["registry"]);
  expect(await names(`${pods}?labelSelector=k8s-app%3Dother`)).toEqual([]);
  expect(await names("/api/v1/namespaces/default/pods")).toEqual([]);
  server.pods.push(runningPod({ namespace: "kube-system", name: "new" }));
  expect(await names(pods)).toEqual(["registry", "new"]);
});

test("a pod is served by name; others, and other paths, are not found", async () => {
  await using server = await startApiServer({ dial: nothingToDial, pods: [registryPod()] });
  const found = await ask(server, `${pods}/registry`);
  expect([found.status, found.json["kind"]]).toEqual([200, "Pod"]);
  const missing = await ask(server, `${pods}/other`);
  expect(missing.json).toMatchObject({
    kind: "Status",
    code: 404,
    message: 'pods "other" not found',
  });
  expect((await ask(server, "/api/v1/nodes")).status).toBe(404);
  expect((await ask(server, `${pods}?labelSelector=%3D`)).status).toBe(400);
});

test("all but the health check wants the token of the moment", async () => {
  await using server = await startApiServer({ dial: nothingToDial });
  const old = server.token;
  server.token = "new";
  const refused = await ask(server, pods, { token: old });
  expect([refused.status, refused.json["reason"]]).toEqual([401, "Unauthorized"]);
  expect((await ask(server, pods)).status).toBe(200);
  expect((await ask(server, "/version")).json["gitVersion"]).toMatch(/^v1\./);
  expect((await ask(server, "/readyz", { token: "" })).text).toBe("ok");
});

test("a path prefix is part of every path", async () => {
  await using server = await startApiServer({ dial: nothingToDial, prefix: "/k8s" });
  expect((await ask(server, "/version")).status).toBe(200);
  expect(server.requests).toEqual(["GET /k8s/version"]);
  const elsewhere = await ask({ ...server, url: `https://127.0.0.1:${server.port}` }, "/version");
  expect(elsewhere.status).toBe(404);
});

test("what is not allowed is forbidden, and an access review says so", async () => {
  await using server = await startApiServer({
    dial: nothingToDial,
    pods: [registryPod()],
    allow: (verb, resource) => resource === "pods/portforward" && verb === "get",
  });
  const listed = await ask(server, pods);
  expect(listed.json).toMatchObject({ code: 403, reason: "Forbidden" });
  expect(listed.json["message"]).toContain('cannot list resource "pods"');

  const review = async (verb: string) => {
    const resourceAttributes = {
      verb,
      resource: "pods",
      subresource: "portforward",
      namespace: "n",
    };
    const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const answer = await ask(server, path, {
      method: "POST",
      body: { spec: { resourceAttributes } },
    });
    return answer.json["status"];
  };
  expect(await review("get")).toEqual({ allowed: true });
  expect(await review("create")).toEqual({ allowed: false });
});

test("an expired certificate can be ordered", async () => {
  const notAfter = new Date(Date.now() - 1000);
  await using server = await startApiServer({ dial: nothingToDial, certificate: { notAfter } });
  await expect(ask(server, "/readyz")).rejects.toMatchObject({ code: "CERT_HAS_EXPIRED" });
});

test("a hook can handle a request or an upgrade in the server's place", async () => {
  await using server = await startApiServer({ dial: nothingToDial, pods: [registryPod()] });
  server.onRequest = (_request, response) => {
    response.writeHead(503, { "content-type": "text/html" }).end("<html>");
    return true;
  };
  server.onUpgrade = (_request, socket) => {
    socket.end("HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n");
    return true;
  };
  expect(await ask(server, pods)).toMatchObject({ status: 503, text: "<html>" });
  expect((await refusal(server)).status).toBe(429);
});

test.for<[what: string, path: string, status: number, text: string]>([
  [
    "a pod that is not there",
    `${pods}/other/portforward?ports=1`,
    404,
    'pods \\"other\\" not found',
  ],
  ["no port", `${pods}/registry/portforward`, 400, 'query parameter "port" is required'],
  ["port 0", `${pods}/registry/portforward?ports=0`, 400, "port"],
  ["another subresource", `${pods}/registry/exec`, 404, "could not find"],
])("a port-forward to %s is refused", async ([, path, status, text]) => {
  await using server = await startApiServer({ dial: nothingToDial, pods: [registryPod()] });
  const answer = await refusal(server, path);
  expect(answer.status).toBe(status);
  expect(answer.text).toContain(text);
});

test("a port-forward needs both get and create, and only the lack of get gives a reason", async () => {
  await using server = await startApiServer({ dial: nothingToDial, pods: [registryPod()] });
  server.allow = (verb) => verb !== "get";
  expect((await refusal(server)).text).toContain('cannot get resource \\"pods/portforward\\"');
  server.allow = (verb) => verb !== "create";
  const { status, text } = await refusal(server);
  expect([status, (JSON.parse(text) as { message: string }).message]).toEqual([
    403,
    'pods "registry" is forbidden: ',
  ]);
});

test("without the v4 subprotocol a port-forward is refused with nothing in the body", async () => {
  await using server = await startApiServer({ dial: nothingToDial, pods: [registryPod()] });
  expect(await refusal(server, forward, ["v5.channel.k8s.io"])).toEqual({ status: 403, text: "" });
});

test("the port comes on both channels, before the pod is dialled", async () => {
  let dialled = false;
  await using server = await startApiServer({
    pods: [registryPod()],
    dial: () => {
      dialled = true;
      return new Promise<never>(() => undefined);
    },
  });
  const client = open(server, forward.replace("5000", "4660"));
  await client.until(2);
  expect(client.messages).toEqual([Buffer.of(0, 0x34, 0x12), Buffer.of(1, 0x34, 0x12)]);
  expect(client.socket.protocol).toBe(protocol);
  expect(dialled).toBe(true);
  client.socket.terminate();
});

test("bytes go both ways, those too that were sent before the pod was dialled", async () => {
  const { promise: mayDial, resolve: letDial } = deferred();
  await using pod = await podServer((socket) => socket.pipe(socket));
  const asked: unknown[] = [];
  await using server = await startApiServer({
    pods: [registryPod()],
    closeDelay: 1,
    dial: async (...address) => {
      asked.push(address);
      await mayDial;
      return pod.dial();
    },
  });
  const client = open(server);
  await once(client.socket, "open");
  client.socket.send(frame(0, "early "));
  await client.until(2);
  letDial();
  client.socket.send(frame(0, "and late"));
  while (client.bytes(0).length < 14) await once(client.socket, "message");
  expect(client.bytes(0).toString()).toBe("early and late");
  expect(asked).toEqual([["kube-system", "registry", 5000]]);
  client.socket.close();
  await client.closed;
});

test("empty messages, unknown channels and data for the error channel are ignored; text is taken", async () => {
  await using pod = await podServer((socket) => socket.pipe(socket));
  await using server = await startApiServer({ pods: [registryPod()], dial: pod.dial });
  const client = open(server);
  await once(client.socket, "open");
  for (const noise of [Buffer.alloc(0), Buffer.of(0), frame(1, "x"), frame(9, "x")]) {
    client.socket.send(noise);
  }
  client.socket.send("\u0000text", { binary: false });
  await client.until(3);
  expect(client.bytes(0).toString()).toBe("text");
  client.socket.terminate();
});

test("a port that refuses is told on the error channel, and then the close is a normal one", async () => {
  const free = await podServer(() => undefined);
  await free[Symbol.asyncDispose](); // nothing listens there any more
  await using server = await startApiServer({ pods: [registryPod()], dial: free.dial });
  const client = open(server);
  expect(await client.closed).toBe(1000);
  expect(client.bytes(1).toString()).toMatch(
    /^error forwarding port 5000 to pod .*connection refused$/,
  );
});

test("a dial that fails is told in the words it failed with", async () => {
  await using server = await startApiServer({
    pods: [registryPod()],
    dial: () => Promise.reject(new Error('network namespace for sandbox "x" is closed')),
  });
  const client = open(server);
  expect(await client.closed).toBe(1000);
  expect(client.bytes(1).toString()).toContain('network namespace for sandbox "x" is closed');
});

test("a pod that resets is told after what it said before", async () => {
  await using pod = await podServer((socket) => {
    socket.once("data", () => {
      socket.write("401");
      socket.once("data", () => socket.resetAndDestroy());
    });
  });
  await using server = await startApiServer({ pods: [registryPod()], dial: pod.dial });
  const client = open(server);
  await once(client.socket, "open");
  client.socket.send(frame(0, "PUT"));
  await client.until(3);
  client.socket.send(frame(0, "more"));
  expect(await client.closed).toBe(1000);
  expect(client.bytes(0).toString()).toBe("401");
  expect(client.bytes(1).toString()).toContain("connection reset by peer");
});

test("when the pod has ended, all its bytes come, and then the close", async () => {
  const payload = Buffer.alloc(1_000_000, "abc");
  await using pod = await podServer((socket) => socket.end(payload));
  await using server = await startApiServer({
    pods: [registryPod()],
    dial: pod.dial,
    closeDelay: 1,
  });
  const client = open(server);
  expect(await client.closed).toBe(1000);
  expect(client.bytes(0).equals(payload)).toBe(true);
  expect(client.bytes(1)).toHaveLength(0);
  expect(Math.max(...client.messages.map((message) => message.length))).toBeLessThanOrEqual(32_769);
});

test("when the client closes, the pod's connection is dropped", async () => {
  const stream = new PassThrough();
  await using server = await startApiServer({
    pods: [registryPod()],
    dial: () => Promise.resolve(stream),
  });
  const client = open(server);
  await client.until(2);
  expect(server.openSockets).toBe(1);
  client.socket.close();
  await once(stream, "close");
  expect(server.openSockets).toBe(0);
});

test("several ports of one request have channels of their own", async () => {
  await using pod = await podServer((socket) => socket.end("hello"));
  await using server = await startApiServer({
    pods: [registryPod()],
    closeDelay: 1,
    dial: (_namespace, _pod, port) => (port === 1 ? pod.dial() : Promise.reject(new Error("no"))),
  });
  const client = open(server, `${pods}/registry/portforward?ports=1,2`);
  expect(await client.closed).toBe(1000);
  expect(client.bytes(0).toString()).toBe("hello");
  expect(client.bytes(3).toString()).toMatch(/^error forwarding port 2 /);
});

test("a pod that reads slowly slows the client down, and nothing piles up in between", async () => {
  const total = 16 * 1024 * 1024;
  let written = 0;
  let mostWaiting = 0;
  const slow = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      written += chunk.length;
      mostWaiting = Math.max(mostWaiting, slow.writableLength);
      setImmediate(done);
      if (written === total) slow.push(null);
    },
  });
  await using server = await startApiServer({
    pods: [registryPod()],
    closeDelay: 1,
    dial: () => Promise.resolve(slow),
  });
  const client = open(server);
  await once(client.socket, "open");
  const payload = Buffer.alloc(64 * 1024);
  for (let sent = 0; sent < total; sent += payload.length) client.socket.send(frame(0, payload));
  expect(await client.closed).toBe(1000);
  expect(written).toBe(total);
  expect(mostWaiting).toBeLessThan(1024 * 1024);
});

test("a client that does not read stops the pod until it reads again", async () => {
  const total = 64 * 1024 * 1024;
  let produced = 0;
  const eager = new Duplex({
    read() {
      produced += 65_536;
      this.push(produced > total ? null : Buffer.alloc(65_536));
    },
    write: (_chunk, _encoding, done) => done(),
  });
  await using server = await startApiServer({
    pods: [registryPod()],
    closeDelay: 1,
    dial: () => Promise.resolve(eager),
  });
  const client = open(server);
  await client.until(2);
  client.socket.pause();
  const first = (name: string) => once(eager, name).then(() => name);
  expect(await Promise.race([first("pause"), first("end")])).toBe("pause");
  expect(produced).toBeLessThan(total / 2);
  client.socket.resume();
  expect(await client.closed).toBe(1000);
  expect(client.bytes(0)).toHaveLength(total);
});

test("disposing drops every connection", async () => {
  const server = await startApiServer({
    pods: [registryPod()],
    dial: () => Promise.resolve(new PassThrough()),
  });
  const client = open(server);
  await client.until(2);
  const silent = connectTls({ port: server.port, host: "127.0.0.1", ca: server.certificate });
  await once(silent, "secureConnect");
  silent.on("error", () => undefined);
  const dropped = once(silent, "close");
  await server[Symbol.asyncDispose]();
  expect(await client.closed).toBe(1006);
  await dropped;
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
