import { once } from "node:events";
import {
  Agent,
  createServer,
  request,
  type IncomingMessage,
  type RequestListener,
} from "node:http";
import { connect as dial, type AddressInfo, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { KpushError } from "../../src/errors.ts";
import { ConnectAgent } from "../../src/registry/agent.ts";
import { openListener } from "../../src/tunnel/listener.ts";
import type { Connect, Listener } from "../../src/tunnel/types.ts";

/** As a tunnel's sockets are: a stream that is no net.Socket, and that a loss destroys. */
function asStream(socket: Socket): Duplex {
  const stream = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk) => stream.push(chunk) || socket.pause());
  socket.on("error", (error) => stream.destroy(error));
  socket.on("end", () => stream.push(null));
  return stream;
}

/** A registry's place, and a listener whose plain requests share at most `concurrency` sockets to it. */
async function setUp(answer: RequestListener, concurrency = 2, connect?: Connect) {
  const sockets: Socket[] = [];
  const server = createServer(answer);
  server.on("connection", (socket) => sockets.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const open: Connect =
    connect ??
    (async (): Promise<Duplex> => {
      const socket = dial(port, "127.0.0.1");
      await once(socket, "connect");
      return asStream(socket);
    });
  const agent = new ConnectAgent(open, 6);
  const listener = await openListener({
    ...{ connect: open, relay: { agent, concurrency }, linger: 20_000 },
    ...{ report: () => undefined, signal: new AbortController().signal },
  });
  return {
    listener,
    sockets,
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      agent.destroy();
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

const basic = ({ username, password }: Listener) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

async function ask(
  listener: Listener,
  { method = "GET", agent, body, headers = {} }: Ask = {},
): Promise<{ status: number | undefined; headers: IncomingMessage["headers"]; body: string }> {
  const { port } = listener;
  const sent = request({
    ...{ host: "127.0.0.1", port, method, path: "/v2/", agent },
    headers: { authorization: basic(listener), ...headers },
  });
  sent.on("error", () => undefined); // told by whoever reads the answer
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

interface Ask {
  method?: string;
  agent?: Agent;
  body?: string;
  headers?: Record<string, string>;
}

/** Sends bytes as they are, and returns all that comes. */
async function raw({ port }: Listener, bytes: string): Promise<string> {
  const socket = dial(port, "127.0.0.1");
  socket.end(bytes);
  return await text(socket);
}

const echo: RequestListener = (incoming, answer) => {
  void text(incoming).then((body) => {
    const told = `${incoming.method} ${incoming.headers.host} ${body}`;
    answer.writeHead(200, { "Content-Length": Buffer.byteLength(told) });
    answer.end(incoming.method === "HEAD" ? undefined : told);
  });
};

describe("plain requests", () => {
  test("of many connections share few sockets", async () => {
    await using world = await setUp(echo);
    const { listener, sockets } = world;
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(listener)));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(sockets.length).toBeLessThanOrEqual(2);
  });

  test("reach the registry as they are: host, body and method", async () => {
    await using world = await setUp(echo);
    const { listener } = world;
    const { body } = await ask(listener, { method: "PUT", body: "manifest" });
    expect(body).toBe(`PUT 127.0.0.1:${listener.port} manifest`);
    const head = await ask(listener, { method: "HEAD" });
    expect(head).toMatchObject({ status: 200, body: "" });
    expect(Number(head.headers["content-length"])).toBeGreaterThan(0);
  });

  test("have an answer without a length passed on piece by piece", async () => {
    await using world = await setUp((_, answer) => {
      answer.write("one ");
      answer.end("two");
    });
    const { headers, body } = await ask(world.listener);
    expect(headers).toMatchObject({ "transfer-encoding": "chunked" });
    expect(body).toBe("one two");
  });

  test("follow each other on one connection, also when they come at once", async () => {
    await using world = await setUp(echo);
    const login = `Authorization: ${basic(world.listener)}\r\n`;
    const answers = await raw(
      world.listener,
      `PUT / HTTP/1.1\r\nHost: a\r\n${login}Content-Length: 3\r\n\r\noneGET / HTTP/1.1\r\nHost: b\r\n${login}\r\n`,
    );
    expect(answers.match(/PUT a one|GET b /g)).toEqual(["PUT a one", "GET b "]);
  });

  test("each need the login", async () => {
    await using world = await setUp(echo);
    const login = `Authorization: ${basic(world.listener)}\r\n`;
    const answers = await raw(
      world.listener,
      `GET / HTTP/1.1\r\nHost: a\r\n${login}\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n`,
    );
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 401"]);
    expect(answers).not.toContain("GET b");
  });

  test("that wish to close have the connection closed behind the answer", async () => {
    await using world = await setUp(echo);
    const socket = dial(world.listener.port, "127.0.0.1");
    socket.write(
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: ${basic(world.listener)}\r\n\r\n`,
    );
    const answer = await text(socket); // which ends only if the other side does
    expect(answer).toMatch(/^HTTP\/1\.1 200[^]*connection: close[^]*GET a $/i);
  });
});

describe("a body of unknown length", () => {
  test("passes as it is, on a socket that plain requests have left", async () => {
    await using world = await setUp(echo);
    const { listener, sockets } = world;
    using agent = Object.assign(new Agent({ keepAlive: true }), {
      [Symbol.dispose]: () => agent.destroy(),
    });
    await ask(listener, { agent });
    const { body } = await ask(listener, {
      ...{ agent, method: "PATCH", body: "layer" },
      headers: { "transfer-encoding": "chunked" },
    });
    expect(body).toMatch(/^PATCH .* layer$/);
    expect(sockets).toHaveLength(1);
    // The socket is this connection's alone from now on: another request needs one of its own.
    await ask(listener);
    expect(sockets).toHaveLength(2);
  });
});

describe("when a kept socket turns out to be lost", () => {
  const loseSecond = (): RequestListener => {
    let count = 0;
    return (incoming, answer) => {
      count += 1;
      if (count === 2) incoming.socket.resetAndDestroy();
      else echo(incoming, answer);
    };
  };

  test("a request that changes nothing is sent again", async () => {
    await using world = await setUp(loseSecond(), 1);
    await ask(world.listener);
    expect(await ask(world.listener)).toMatchObject({ status: 200 });
    expect(world.sockets).toHaveLength(2);
  });

  test("another one is not: the client is told, and decides", async () => {
    await using world = await setUp(loseSecond(), 1);
    await ask(world.listener);
    const { status, body } = await ask(world.listener, { method: "POST" });
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({ errors: [{ code: "UNAVAILABLE" }] });
  });
});

test("an answer that breaks off resets the connection, so that no part is taken for the whole", async () => {
  await using world = await setUp((incoming, answer) => {
    answer.writeHead(200, { "Content-Length": 10 });
    answer.write("half", () => incoming.socket.resetAndDestroy());
  });
  await expect(ask(world.listener)).rejects.toMatchObject({
    code: expect.stringMatching(/ECONNRESET/) as string,
  });
});

test("a tunnel that cannot be had is told with its reason", async () => {
  const connect = () => Promise.reject(new KpushError("CLUSTER_FORBIDDEN", "you may not"));
  await using world = await setUp(echo, 2, connect);
  const { status, body } = await ask(world.listener);
  expect(status).toBe(403);
  expect(JSON.parse(body)).toMatchObject({
    errors: [{ code: "DENIED", message: "kpush: you may not" }],
  });
});
