import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect as dial } from "node:net";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { openListener } from "../../src/tunnel/listener.ts";
import type { TunnelTimings } from "../../src/tunnel/types.ts";
import { cuttingProxy } from "../fakes/cuts.ts";
import { fakePortForward } from "../fakes/port-forward.ts";
import type { FakePortForward, Session } from "../fakes/port-forward.ts";
import { target, testTunnel } from "../fakes/tunnel-client.ts";
import { relay } from "../fakes/tunnel-relay.ts";

/** A tunnel that reaches the fake through a load balancer. */
async function throughRelay(
  server: FakePortForward,
  timings: Partial<TunnelTimings>,
  idle?: number,
) {
  const balancer = await relay(server.port, { ...(idle ? { idle } : {}) });
  const tunnel = testTunnel(
    {
      config: {
        ...server.config,
        getCurrentCluster: () => ({
          name: "c",
          server: `https://127.0.0.1:${balancer.port}`,
          skipTLSVerify: false,
        }),
      },
    },
    { timings },
  );
  return {
    balancer,
    tunnel,
    async [Symbol.asyncDispose]() {
      await tunnel[Symbol.asyncDispose]();
      await balancer[Symbol.asyncDispose]();
    },
  };
}

/** Writes for ever, and reads what comes; errors are the test's business. */
function flood(socket: Duplex): void {
  const block = randomBytes(64 * 1024);
  const write = () => {
    while (!socket.destroyed && socket.write(block));
  };
  socket
    .on("drain", write)
    .on("error", () => undefined)
    .resume();
  write();
}

describe("case 6: a pod deleted in the middle of a layer", () => {
  test.for([
    'network namespace for sandbox "3f468df6" is closed',
    "sandbox 3f468df6 is not running",
  ])("is told from %s, and the next socket goes to its replacement", async (text) => {
    await using server = await fakePortForward();
    await using tunnel = testTunnel(server, {
      pin: (gone) => Promise.resolve(gone ? { ...target, name: "registry-1" } : target),
    });
    const socket = await tunnel.connect();
    const lost = once(socket, "end");
    flood(socket);
    const session = server.sessions[0] as Session;
    await session.take(1024 * 1024);
    session.fail(`error forwarding port 5000 to pod 3f468df6, uid : ${text}`);
    await expect(lost).rejects.toMatchObject({ code: "POD_GONE" });
    expect(tunnel.takeError()).toMatchObject({
      code: "POD_GONE",
      message: expect.stringContaining("pod kpush-system/registry-0 is gone") as string,
    });
    await tunnel.connect();
    expect(server.sessions[1]?.pod).toBe("registry-1");
  });

  test("explains an earlier loss that did not know why", async () => {
    await using server = await fakePortForward({
      serve: (session) => {
        session.open();
        if (server.sessions.length === 1)
          session.fail("writeto tcp4: read: connection reset by peer");
        else session.fail("failed to find sandbox");
      },
    });
    await using tunnel = testTunnel(server);
    for (let attempt = 0; attempt < 2; attempt++) {
      const used = tunnel.connect().then((socket) => once(socket, "end"));
      await expect(used).rejects.toThrow();
    }
    expect(tunnel.takeError()).toMatchObject({ code: "POD_GONE" });
  });
});

describe("case 7: a registry that answers during an upload and closes", () => {
  test("has its whole answer delivered, and the reset behind it is the end", async () => {
    const answer = `HTTP/1.1 413 Too Large\r\nContent-Length: 200000\r\n\r\n${"x".repeat(200_000)}`;
    await using server = await fakePortForward({
      serve: async (session) => {
        session.open();
        await session.take(1024 * 1024);
        session.say(0, answer);
        session.fail("error forwarding port 5000: writeto tcp4: write: connection reset by peer");
      },
    });
    await using tunnel = testTunnel(server);
    const socket = await tunnel.connect();
    const received = buffer(socket);
    flood(socket);
    expect(String(await received)).toBe(answer);
    expect(tunnel.takeError()).toBeUndefined();
  });

  test("and one that resets without an answer is an error", async () => {
    await using server = await fakePortForward({
      serve: async (session) => {
        session.open();
        await session.take(1024 * 1024);
        session.fail("writeto tcp4: write: connection reset by peer");
      },
    });
    await using tunnel = testTunnel(server);
    const socket = await tunnel.connect();
    const ended = once(socket, "end");
    flood(socket);
    await expect(ended).rejects.toMatchObject({ code: "TUNNEL_FAILED" });
    expect(tunnel.takeError()).toBeDefined();
  });

  test("what came before any error is delivered before it, however slow the reader", async () => {
    const bytes = randomBytes(200_000);
    await using server = await fakePortForward({
      serve: (session) => {
        session.open();
        session.say(0, bytes);
        session.fail("something else");
      },
    });
    await using tunnel = testTunnel(server);
    const socket = await tunnel.connect();
    const closed = once(server.sessions[0]?.webSocket as never, "close");
    await closed;
    await new Promise((resolve) => setTimeout(resolve, 50)); // all is known here, nothing is read
    const received: Buffer[] = [];
    const ended = (async () => {
      for await (const chunk of socket) received.push(chunk as Buffer);
    })();
    await expect(ended).rejects.toMatchObject({
      message: expect.stringContaining("something else") as string,
    });
    expect(Buffer.concat(received).equals(bytes)).toBe(true);
  });
});

test("case 10: a download that the local side aborts closes its socket; the next one works", async () => {
  await using server = await fakePortForward({
    serve: (session) => {
      session.open();
      if (server.sessions.length > 1) {
        session.say(0, "works");
        return;
      }
      for (let count = 0; count < 200; count++) session.say(0, randomBytes(32 * 1024));
    },
  });
  await using tunnel = testTunnel(server);
  const socket = await tunnel.connect();
  await once(socket, "data");
  socket.destroy();
  await once(server.sessions[0]?.webSocket as never, "close");
  const next = await tunnel.connect();
  expect(String(await once(next, "data"))).toBe("works");
  expect(tunnel.takeError()).toBeUndefined();
});

describe("case 17: a connection that is reset in the middle of an upload", () => {
  test("fails its socket, and the tunnel makes new ones", async () => {
    await using server = await fakePortForward();
    await using all = await throughRelay(server, {});
    const { tunnel, balancer } = all;
    const socket = await tunnel.connect();
    const lost = once(socket, "end");
    flood(socket);
    await server.sessions[0]?.take(1024 * 1024);
    balancer.reset();
    await expect(lost).rejects.toMatchObject({
      code: "TUNNEL_FAILED",
      message: "the connection to the cluster was lost (pod kpush-system/registry-0)",
    });
    const next = await tunnel.connect();
    next.write("again");
    expect(String(await once(next, "data"))).toBe("again");
    // The pod was looked up anew, since nothing says that it is still there.
    expect(tunnel.pins).toHaveLength(2);
  });
});

test("a connection that ends in its TLS handshake is opened again", async () => {
  await using server = await fakePortForward({ tls: true });
  const cuts = [{ direction: "up", after: 3, reset: false }] as const;
  await using link = await cuttingProxy({ port: server.port }, { cuts, stays: false });
  const { config } = server;
  const url = `https://127.0.0.1:${link.port}`;
  await using tunnel = testTunnel({
    config: {
      ...config,
      getCurrentCluster: () => ({ name: "c", server: url, skipTLSVerify: false }),
    },
  });
  const socket = await tunnel.connect();
  socket.write("through");
  expect(String(await once(socket, "data"))).toBe("through");
  expect(link.made).toBe(1);
});

describe("case 18: a connection that goes silent without an end", () => {
  test("is noticed when idle by the missing pong", async () => {
    await using server = await fakePortForward();
    await using all = await throughRelay(server, { ping: 20, dead: 200 });
    const { tunnel, balancer } = all;
    const socket = await tunnel.connect();
    socket.write("request"); // small: nothing that a pod which does not read could hold up
    await once(socket, "data");
    balancer.blackHole();
    await expect(once(socket, "end")).rejects.toMatchObject({
      code: "TUNNEL_FAILED",
      message: expect.stringContaining("the connection has been silent for") as string,
    });
  });

  test("is noticed when sending by the stall limit, not before", async () => {
    await using server = await fakePortForward({ keep: false, serve: (session) => session.open() });
    await using all = await throughRelay(server, {
      ping: 20,
      dead: 20,
      stallWarn: 150,
      stallKill: 300,
    });
    const { tunnel, balancer } = all;
    const socket = await tunnel.connect();
    balancer.blackHole();
    const lost = once(socket, "end");
    flood(socket);
    await expect(lost).rejects.toMatchObject({
      message: expect.stringContaining("the registry has taken no data for") as string,
    });
    expect(tunnel.warnings()).toHaveLength(1);
  });
});

test("case 20: pings keep an idle socket alive behind a load balancer that cuts idle ones", async () => {
  await using server = await fakePortForward();
  await using all = await throughRelay(server, { ping: 50 }, 400);
  const { tunnel, balancer } = all;
  const socket = await tunnel.connect();
  const { webSocket } = server.sessions[0] as Session;
  for (let pings = 0; pings < 20; pings++) await once(webSocket, "ping");
  socket.write("alive");
  expect(String(await once(socket, "data"))).toBe("alive");
  expect(balancer.cut).toBe(0);
});

describe("case 24: the end", () => {
  test("is by force where the other side never answers the close frame", async () => {
    await using server = await fakePortForward({
      serve: async (session) => {
        session.open();
        await session.take(7);
        session.say(0, "answer");
        session.webSocket.pause(); // the close frame is never read
      },
    });
    await using tunnel = testTunnel(server, { timings: { halfClose: 10, close: 50 } });
    const socket = await tunnel.connect();
    const closed = once(socket, "close");
    socket.end("request");
    expect(String(await buffer(socket))).toBe("answer");
    await closed;
    expect(socket.errored).toBeNull();
  });

  test("of the tunnel leaves no connection, whatever state its sockets are in", async () => {
    await using server = await fakePortForward({
      // The third handshake and the fourth stay open.
      refuse: () => (server.paths.length > 2 ? new Promise<undefined>(() => undefined) : undefined),
      serve: (session) => {
        session.open();
        session.webSocket.pause();
      },
    });
    const tunnel = testTunnel(server);
    const first = await tunnel.connect();
    flood(first);
    tunnel.keepSpares(1);
    await expect.poll(() => server.sessions.length).toBe(2);
    const waiting = [tunnel.connect(), tunnel.connect()];
    const outcome = Promise.allSettled(waiting);
    await expect.poll(() => server.paths.length).toBe(4);
    await tunnel[Symbol.asyncDispose]();
    expect(first.destroyed).toBe(true);
    for (const { webSocket } of server.sessions) webSocket.resume(); // else it cannot notice
    await expect.poll(() => server.openConnections).toBe(0);
    expect((await outcome).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await expect(tunnel.connect()).rejects.toThrow("the tunnel is closed");
  });

  test("by the signal closes listener, connections and tunnel, and rejects with its reason", async () => {
    const controller = new AbortController();
    await using server = await fakePortForward({
      refuse: () =>
        server.paths.length === 2 ? new Promise<undefined>(() => undefined) : undefined,
    });
    const { signal } = controller;
    await using tunnel = testTunnel(server, { signal });
    await using listener = await openListener({
      connect: tunnel.connect,
      report: () => undefined,
      signal,
    });
    const local = dial(listener.port, "127.0.0.1");
    await once(local, "connect");
    local.on("error", () => undefined).resume();
    const localClosed = once(local, "close");
    const socket = await tunnel.connect();
    const reason = new Error("interrupted");
    const ended = expect(once(socket, "end")).rejects.toBe(reason);
    const waiting = expect(tunnel.connect()).rejects.toBe(reason);
    await expect.poll(() => server.paths.length).toBe(2);
    await expect.poll(() => listener.connections).toBe(1);
    controller.abort(reason);
    await Promise.all([ended, waiting]);
    await expect(tunnel.connect()).rejects.toBe(reason);
    await localClosed;
    await expect.poll(() => server.openConnections).toBe(0);
    await expect(once(dial(listener.port, "127.0.0.1"), "connect")).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
  });

  test("by a signal that is already aborted opens nothing", async () => {
    await using server = await fakePortForward();
    await using tunnel = testTunnel(server, { signal: AbortSignal.abort(new Error("early")) });
    await expect(tunnel.connect()).rejects.toThrow("early");
    expect(server.connections).toBe(0);
  });
});
