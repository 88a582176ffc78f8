import { once } from "node:events";
import { Duplex, PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { startApiServer } from "../../src/demo/api-server.ts";
import {
  deferred,
  forward,
  frame,
  nothingToDial,
  open,
  podServer,
  pods,
  protocol,
  refusal,
  registryPod,
} from "./demo-api-client.ts";

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
