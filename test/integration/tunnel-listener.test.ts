import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import type { RequestOptions } from "node:http";
import { connect as dial } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { Duplex } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { KpushError } from "../../src/errors.ts";
import { openListener } from "../../src/tunnel/listener.ts";
import type { ListenerOptions } from "../../src/tunnel/listener.ts";
import type { Listener } from "../../src/tunnel/types.ts";
import { fakePortForward } from "../fakes/port-forward.ts";
import { testTunnel } from "../fakes/tunnel-client.ts";

/** A registry's place: an HTTP server that tells what it was asked, and with which body. */
async function fakeRegistry() {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming, answer) => {
    void buffer(incoming).then((body) => {
      asked.push(`${incoming.method} ${incoming.url} ${body.length}`);
      answer.end("registry");
    });
  });
  server.on("connection", (socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    sockets,
    connect: async (): Promise<Duplex> => {
      const socket = dial(port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function listen(options: Partial<ListenerOptions>) {
  return openListener({
    connect: () => Promise.reject(new Error("not to be asked")),
    report: () => undefined,
    signal: new AbortController().signal,
    linger: 20_000,
    ...options,
  });
}

async function ask({ port }: Listener, options: RequestOptions, body?: Buffer) {
  const outgoing = request({ port, host: "127.0.0.1", path: "/v2/", ...options });
  outgoing.end(body);
  const [answer] = (await once(outgoing, "response")) as [import("node:http").IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

/** Sends raw bytes and returns all that comes until the end. */
async function raw({ port }: Listener, bytes: string | Buffer): Promise<string> {
  const socket = dial(port, "127.0.0.1");
  socket.write(bytes);
  return await text(socket);
}

const login = ({ username, password }: Listener) => `${username}:${password}`;
const basic = (words: string) => `Basic ${Buffer.from(words).toString("base64")}`;

describe("the gate", () => {
  test("answers 401 to a request without the password, with a challenge, and counts it", async () => {
    await using listener = await listen({});
    const answer = await ask(listener, {});
    expect(answer.status).toBe(401);
    expect(answer.headers).toMatchObject({
      "www-authenticate": 'Basic realm="kpush"',
      "docker-distribution-api-version": "registry/2.0",
      connection: "close",
    });
    expect(JSON.parse(answer.body)).toMatchObject({ errors: [{ code: "UNAUTHORIZED" }] });
    expect(listener.connections).toBe(1);
  });

  test("lets requests with the password through, and what follows on the connection as it is", async () => {
    await using registry = await fakeRegistry();
    await using listener = await listen({ connect: registry.connect });
    using agent = Object.assign(new Agent({ keepAlive: true, maxSockets: 1 }), {
      [Symbol.dispose]() {
        agent.destroy();
      },
    });
    expect(await ask(listener, { agent, auth: login(listener) })).toMatchObject({
      status: 200,
      body: "registry",
    });
    const body = Buffer.alloc(300_000);
    await ask(listener, { agent, method: "PATCH", path: "/v2/x" }, body);
    expect(registry.asked).toEqual(["GET /v2/ 0", "PATCH /v2/x 300000"]);
    expect(listener.connections).toBe(1);
  });

  test("takes a header in pieces, and a body that comes with it", async () => {
    await using registry = await fakeRegistry();
    await using listener = await listen({ connect: registry.connect });
    const socket = dial(listener.port, "127.0.0.1");
    const head = `POST /v2/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\nauthorization: ${basic(login(listener))}\r\n\r\nbody`;
    for (const part of [head.slice(0, 1), head.slice(1, 60), head.slice(60)]) {
      socket.write(part);
      await new Promise(setImmediate);
    }
    expect(await text(socket)).toContain("registry");
    expect(registry.asked).toEqual(["POST /v2/x 4"]);
  });

  test("knows only this one login", async () => {
    await using registry = await fakeRegistry();
    await using listener = await listen({ connect: registry.connect });
    await using other = await listen({});
    const { password } = listener;
    expect(other.password).not.toBe(password);
    expect(password.length).toBeGreaterThanOrEqual(32);
    const get = "GET /v2/ HTTP/1.1\r\nHost: x\r\n";
    const right = basic(login(listener));
    const wrong = [
      `${get}Authorization: ${basic(login(other))}\r\n\r\n`,
      `${get}Authorization: ${basic(`kpush:${password}x`)}\r\n\r\n`,
      `${get}Authorization: ${basic(`kpush:${password.slice(1)}`)}\r\n\r\n`,
      `${get}Authorization: ${basic(`Kpush:${password}`)}\r\n\r\n`,
      `${get}Authorization: ${basic(":")}\r\n\r\n`,
      `${get}Authorization: Bearer ${password}\r\n\r\n`,
      `${get}X-Authorization: ${right}\r\n\r\n`,
      `${get}X: y\r\n Authorization: ${right}\r\n\r\n`,
      `${get}Authorization: ${right}\r\nAuthorization: ${basic("a:b")}\r\n\r\n`,
      `${get}\r\nAuthorization: ${right}\r\n\r\n`,
      `nonsense\r\nAuthorization: ${right}\r\n\r\n`,
    ];
    for (const bytes of wrong) expect(await raw(listener, bytes), bytes).toMatch(/^HTTP\/1.1 401 /);
    expect(registry.sockets.size).toBe(0);
    expect(listener.connections).toBe(wrong.length);
  });

  test("answers a TLS hello with plain HTTP at once, so that an engine falls back", async () => {
    await using listener = await listen({});
    expect(await raw(listener, Buffer.of(0x16, 3, 1))).toBe("HTTP/1.0 400 Bad Request\r\n\r\n");
    expect(listener.connections).toBe(1);
  });

  test("ends a connection whose header is too long, or does not come", async () => {
    await using listener = await listen({ headLimit: 1000, headTimeout: 100 });
    expect(await raw(listener, `GET / HTTP/1.1\r\nX: ${"x".repeat(2000)}`)).toMatch(
      /^HTTP\/1.1 431 /,
    );
    expect(await raw(listener, "GET / HTTP/1.1\r\n")).toBe("");
    expect(await raw(listener, "")).toBe("");
  });

  test("does not answer a HEAD with a body", async () => {
    await using listener = await listen({});
    expect(await raw(listener, "HEAD /v2/x HTTP/1.1\r\nHost: x\r\n\r\n")).toMatch(/\r\n\r\n$/);
  });
});

describe("the port", () => {
  test("is the wanted one if it is free, else any", async () => {
    await using first = await listen({});
    await using second = await listen({ port: first.port });
    expect(second.port).not.toBe(first.port);
    await first[Symbol.asyncDispose]();
    await using third = await listen({ port: first.port });
    expect(third.port).toBe(first.port);
  });

  test("is open on 127.0.0.1 only", async () => {
    await using listener = await listen({});
    await expect(once(dial(listener.port, "127.0.0.2"), "connect")).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
  });
});

describe("without a way to the registry", () => {
  test.for([
    [new KpushError("CLUSTER_FORBIDDEN", "you may not"), 403, "DENIED", "kpush: you may not"],
    [new KpushError("CLUSTER_UNREACHABLE", "no network"), 503, "UNAVAILABLE", "kpush: no network"],
    [new Error("a bug\x1b[31m"), 503, "UNAVAILABLE", "kpush: a bug[31m"],
  ] as const)("%s is answered %i", async ([error, status, code, message]) => {
    await using listener = await listen({ connect: () => Promise.reject(error) });
    const answer = await ask(listener, { auth: login(listener) });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({ errors: [{ code, message }] });
  });

  test("case 1: a registry that refuses the port has the local connection reset", async () => {
    await using server = await fakePortForward({
      serve: async (session) => {
        session.open();
        await session.take(1);
        session.fail("dial tcp4 127.0.0.1:5000: connect: connection refused");
      },
    });
    await using tunnel = testTunnel(server);
    await using listener = await listen({ connect: tunnel.connect });
    await expect(ask(listener, { auth: login(listener) })).rejects.toMatchObject({
      code: "ECONNRESET",
    });
    expect(tunnel.takeError()).toMatchObject({ code: "REGISTRY_REFUSED" });
  });

  test("case 1: and the bytes that came before are delivered", async () => {
    const registry = new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, done) => done(),
    });
    await using listener = await listen({ connect: () => Promise.resolve(registry) });
    const socket = dial(listener.port, "127.0.0.1");
    socket.write(`GET / HTTP/1.1\r\nAuthorization: ${basic(login(listener))}\r\n\r\n`);
    registry.push("part of an ");
    registry.push("answer");
    let received = "";
    socket.on("data", (chunk) => {
      received += String(chunk);
      if (received.endsWith("answer")) registry.destroy(new Error("lost"));
    });
    await expect(once(socket, "end")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(received).toBe("part of an answer");
  });
});

test("case 7: an early answer reaches a client that is still sending, whole", async () => {
  const answer = `HTTP/1.1 401 Unauthorized\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n${"x".repeat(100_000)}`;
  await using server = await fakePortForward({
    keep: false,
    serve: async (session) => {
      session.open();
      await session.take(1024 * 1024);
      session.say(0, answer);
      session.fail("writeto tcp4: write: connection reset by peer");
    },
  });
  await using tunnel = testTunnel(server);
  await using listener = await listen({ connect: tunnel.connect });
  const socket = dial({ port: listener.port, host: "127.0.0.1" });
  socket.write(
    `PATCH /v2/x HTTP/1.1\r\nAuthorization: ${basic(login(listener))}\r\nContent-Length: 100000000\r\n\r\n`,
  );
  const block = Buffer.alloc(64 * 1024);
  const write = () => {
    while (socket.writable && socket.write(block));
  };
  socket.on("drain", write);
  write();
  expect(await text(socket)).toBe(answer);
});

test("case 11: a client that ends its side still gets the answer", async () => {
  await using server = await fakePortForward({
    serve: async (session) => {
      session.open();
      await session.take(1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      session.say(0, "slow answer");
      session.webSocket.close(1000);
    },
  });
  await using tunnel = testTunnel(server);
  await using listener = await listen({ connect: tunnel.connect });
  const socket = dial({ port: listener.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.end(`GET / HTTP/1.0\r\nAuthorization: ${basic(login(listener))}\r\n\r\n`);
  expect(await text(socket)).toBe("slow answer");
});

test("case 10: a client that goes away closes the socket to the registry", async () => {
  await using server = await fakePortForward();
  await using tunnel = testTunnel(server);
  await using listener = await listen({ connect: tunnel.connect });
  const socket = dial(listener.port, "127.0.0.1");
  socket.write(`GET / HTTP/1.1\r\nAuthorization: ${basic(login(listener))}\r\n\r\n`);
  await once(socket, "data");
  socket.resetAndDestroy();
  await expect.poll(() => server.sessions[0]?.webSocket.readyState).toBe(3);
  expect(tunnel.takeError()).toBeUndefined();
});
