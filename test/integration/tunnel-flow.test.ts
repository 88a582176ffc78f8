import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { maxPayload } from "../../src/tunnel/frames.ts";
import type { TunnelSocket } from "../../src/tunnel/socket.ts";
import { fakePortForward } from "../fakes/port-forward.ts";
import type { Session } from "../fakes/port-forward.ts";
import { testTunnel } from "../fakes/tunnel-client.ts";

const MiB = 1024 * 1024;

/** Writes as fast as the stream takes it, until `bytes` are taken or it closes. */
function pour(socket: Duplex, bytes: number): void {
  const block = Buffer.alloc(64 * 1024, "x");
  let sent = 0;
  const write = () => {
    while (sent < bytes && !socket.destroyed) {
      sent += block.length;
      if (!socket.write(block)) return;
    }
  };
  socket.on("drain", write);
  write();
}

/** Reads so many bytes of a stream that does not end with them. */
async function readBytes(socket: Duplex, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let read = 0;
  if (length === 0) return Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    read += chunk.length;
    if (read >= length) break;
  }
  return Buffer.concat(chunks);
}

describe("case 8: a pod that never reads", () => {
  test("costs bounded memory, is not taken for dead, and leaves other sockets alone", async () => {
    await using server = await fakePortForward({
      keep: false,
      serve: (session) => {
        session.open();
        if (server.sessions.length === 1) session.webSocket.pause();
        else session.webSocket.on("message", (data: Buffer) => session.webSocket.send(data));
      },
    });
    // Pongs do not come either. If their absence counted, the socket would die before the warning.
    await using tunnel = testTunnel(server, {
      timings: { ping: 40, dead: 200, stallWarn: 600, stallKill: 1200 },
    });
    const connected: unknown = await tunnel.connect();
    const socket = connected as TunnelSocket;
    let most = 0;
    socket.on("drain", () => (most = Math.max(most, socket.queuedBytes + socket.writableLength)));
    const lost = once(socket, "end");
    pour(socket, 1024 * MiB);
    const other = await tunnel.connect();
    other.write("still here");
    expect(String(await once(other, "data"))).toBe("still here");
    await expect(lost).rejects.toMatchObject({
      code: "TUNNEL_FAILED",
      message: expect.stringMatching(/^the registry has taken no data for \d+ s/) as string,
    });
    expect(most).toBeLessThan(2 * MiB);
    expect(socket.bytesWritten).toBeLessThan(64 * MiB); // the rest is in the kernel's buffers
    expect(tunnel.warnings()).toEqual([
      expect.stringMatching(/^pod kpush-system\/registry-0 has taken no data for \d+ s$/),
    ]);
    expect(other.destroyed).toBe(false);
  });
});

test("case 8: a pod that pauses is not taken for dead, though nothing waits here", async () => {
  const size = 512 * 1024; // fits into the kernel's buffers
  await using server = await fakePortForward({
    serve: (session) => {
      session.open();
      session.webSocket.pause();
    },
  });
  await using tunnel = testTunnel(server, { timings: { ping: 10, dead: 30, stallWarn: 150 } });
  const socket = await tunnel.connect();
  const lost: unknown[] = [];
  socket.on("error", (error) => lost.push(error));
  socket.write(randomBytes(size));
  await expect.poll(() => tunnel.warnings().length + lost.length).toBeGreaterThan(0);
  expect(lost).toEqual([]);
  const session = server.sessions[0] as Session;
  session.webSocket.resume();
  expect((await session.take(size)).length).toBe(size);
});

test("case 9: a slow local reader pauses the socket and loses nothing", async () => {
  const bytes = randomBytes(16 * MiB);
  await using server = await fakePortForward({
    serve: (session) => {
      session.open();
      for (let start = 0; start < bytes.length; start += 32 * 1024) {
        session.say(0, bytes.subarray(start, start + 32 * 1024));
      }
      session.webSocket.close(1000);
    },
  });
  // While we do not read, nothing can be heard of the other side: no reason to take it for dead.
  await using tunnel = testTunnel(server, { timings: { ping: 10, dead: 30 } });
  const socket = await tunnel.connect();
  const { webSocket } = server.sessions[0] as Session;
  let left = Number.POSITIVE_INFINITY;
  while (webSocket.bufferedAmount < left) {
    left = webSocket.bufferedAmount;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(left).toBeGreaterThan(0);
  expect(socket.readableLength).toBeLessThan(MiB);
  expect((await buffer(socket)).equals(bytes)).toBe(true);
});

describe("case 11: the local end", () => {
  test("does not cut an answer that is slow to come", async () => {
    await using server = await fakePortForward({
      serve: async (session) => {
        session.open();
        await session.take(7);
        await new Promise((resolve) => setTimeout(resolve, 500));
        session.say(0, "the ");
        await new Promise((resolve) => setImmediate(resolve));
        session.say(0, "answer");
        session.webSocket.close(1000);
      },
    });
    await using tunnel = testTunnel(server, { timings: { halfClose: 200 } });
    const socket = await tunnel.connect();
    socket.end("request");
    expect(String(await buffer(socket))).toBe("the answer");
  });

  test("does not cut an answer that a slow reader keeps waiting", async () => {
    const part = randomBytes(MiB / 2);
    await using server = await fakePortForward({
      serve: async (session) => {
        session.open();
        await session.take(7);
        for (let count = 0; count < 20; count++) session.say(0, part);
        session.webSocket.close(1000);
      },
    });
    await using tunnel = testTunnel(server, { timings: { halfClose: 200 } });
    const socket = await tunnel.connect();
    socket.end("request");
    await expect.poll(() => socket.readableLength).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await readBytes(socket, 20 * part.length)).length).toBe(20 * part.length);
  });

  test("closes the socket when the answer has come and the pod stays", async () => {
    await using server = await fakePortForward();
    await using tunnel = testTunnel(server, { timings: { halfClose: 20 } });
    const socket = await tunnel.connect();
    const closed = once(server.sessions[0]?.webSocket as never, "close");
    socket.end("echo");
    expect(String(await buffer(socket))).toBe("echo");
    const [code] = (await closed) as [number];
    expect(code).toBe(1005); // a close frame, not a cut
  });
});

test("case 12: after the pod's end the last bytes come, and one end", async () => {
  await using server = await fakePortForward({
    serve: (session) => {
      session.open();
      session.say(0, randomBytes(300_000));
      session.say(0, "last bytes");
      setTimeout(() => session.webSocket.close(1000), 50);
    },
  });
  await using tunnel = testTunnel(server);
  const socket = await tunnel.connect();
  let ends = 0;
  socket.on("end", () => (ends += 1));
  const closed = once(socket, "close");
  const received = await buffer(socket);
  await closed;
  expect(received.length).toBe(300_010);
  expect(received.toString("latin1", 300_000)).toBe("last bytes");
  expect(ends).toBe(1);
  expect(socket.errored).toBeNull();
});

test("case 14: empty messages, unknown channels, text frames and late data do no harm", async () => {
  await using server = await fakePortForward({
    serve: async (session) => {
      session.webSocket.send(Buffer.alloc(0));
      session.open();
      session.webSocket.send(Buffer.alloc(0));
      session.webSocket.send("");
      session.say(2, "unknown");
      session.say(255, "unknown");
      session.say(0, "");
      session.webSocket.send("\0text"); // a text frame
      await session.take(4);
      session.say(0, " late");
      session.webSocket.close(1000);
    },
  });
  await using tunnel = testTunnel(server);
  const socket = await tunnel.connect();
  expect(String(await once(socket, "data"))).toBe("text");
  socket.write("data");
  expect(String(await once(socket, "data"))).toBe(" late");
  await once(socket, "close");
  socket.write("after the close");
  expect(server.sessions[0]?.received.toString()).toBe("data");
});

test("case 15: a message in fragments of 4 KiB is put together", async () => {
  const bytes = randomBytes(100_000);
  await using server = await fakePortForward({
    serve: (session) => {
      session.open();
      const message = Buffer.concat([Buffer.of(0), bytes]);
      for (let start = 0; start < message.length; start += 4096) {
        const fin = start + 4096 >= message.length;
        session.webSocket.send(message.subarray(start, start + 4096), { binary: true, fin });
      }
      session.webSocket.close(1000);
    },
  });
  await using tunnel = testTunnel(server);
  const received = await buffer(await tunnel.connect());
  expect(received.equals(bytes)).toBe(true);
});

describe("case 21: forty connections at once", () => {
  test("keep to 8 handshakes and 32 sockets, lose none, and are served in order", async () => {
    const gates: (() => void)[] = [];
    let waiting = 0;
    let mostWaiting = 0;
    await using server = await fakePortForward({
      refuse: async () => {
        mostWaiting = Math.max(mostWaiting, ++waiting);
        await new Promise<void>((resolve) => gates.push(resolve));
        waiting -= 1;
        return undefined;
      },
    });
    await using tunnel = testTunnel(server);
    const order: number[] = [];
    const sockets: Duplex[] = [];
    const all = Array.from({ length: 40 }, async (_, index) => {
      const socket = await tunnel.connect();
      order.push(index);
      sockets.push(socket);
    });
    for (let open = 0; open < 40; open++) {
      await expect.poll(() => gates.length).toBeGreaterThan(0);
      gates.shift()?.();
      await expect.poll(() => sockets.length).toBe(open + 1);
      expect(
        server.sessions.filter(({ webSocket }) => webSocket.readyState === 1).length,
      ).toBeLessThanOrEqual(32);
      if (open >= 31) {
        expect(server.paths.length).toBe(open + 1);
        sockets[open - 31]?.destroy();
      }
    }
    await Promise.all(all);
    expect(mostWaiting).toBe(8);
    expect(order).toEqual(Array.from({ length: 40 }, (_, index) => index));
  });

  test("do not wait for those that are answered and ended on this side", async () => {
    await using server = await fakePortForward();
    await using tunnel = testTunnel(server, { maxSockets: 3 });
    const busy = await tunnel.connect();
    for (let count = 0; count < 10; count++) {
      const socket = await tunnel.connect();
      socket.end("x"); // as an engine does, which the pod is not told
      await once(socket, "data");
    }
    expect(busy.destroyed).toBe(false);
    expect(server.sessions).toHaveLength(11);
  });

  test("take spares first, and a spare that is being opened serves whoever comes", async () => {
    await using server = await fakePortForward();
    await using tunnel = testTunnel(server);
    tunnel.keepSpares(2);
    await expect.poll(() => server.sessions.length).toBe(2);
    const [first, second] = [await tunnel.connect(), await tunnel.connect()];
    for (const socket of [first, second]) {
      socket.write("x");
      await once(socket, "data");
    }
    expect(server.sessions.slice(0, 2).map(({ received }) => String(received))).toEqual(["x", "x"]);
    await expect.poll(() => server.sessions.length).toBe(4);
    tunnel.keepSpares(0);
    await expect.poll(() => server.openConnections).toBe(2);
  });

  test("a spare that the pod refuses is not opened again until somebody asks", async () => {
    await using server = await fakePortForward({
      serve: (session) => {
        session.open();
        session.fail("connection refused");
      },
    });
    await using tunnel = testTunnel(server);
    tunnel.keepSpares(1);
    await expect.poll(() => server.sessions.length).toBe(1);
    await expect.poll(() => server.openConnections).toBe(0);
    await new Promise(setImmediate);
    expect(server.sessions).toHaveLength(1);
  });
});

test("case 22: five uploads share a slow server, finish, and keep their digests", async () => {
  const size = 2 * MiB;
  const bytesPerMs = 16 * 1024;
  await using server = await fakePortForward({
    serve: async (session) => {
      session.open();
      session.webSocket.on("message", (data: Buffer) => {
        session.webSocket.pause();
        setTimeout(() => session.webSocket.resume(), data.length / bytesPerMs);
      });
      const received = await session.take(size);
      session.say(0, createHash("sha256").update(received).digest("hex"));
      session.webSocket.close(1000);
    },
  });
  await using tunnel = testTunnel(server);
  const uploads = Array.from({ length: 5 }, async () => {
    const bytes = randomBytes(size);
    const socket = await tunnel.connect();
    socket.end(bytes);
    expect(String(await buffer(socket))).toBe(createHash("sha256").update(bytes).digest("hex"));
  });
  await Promise.all(uploads);
  expect(server.sessions).toHaveLength(5);
});

describe("case 23: any bytes in any pieces", () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 3 * 64 * 1024 }), fc.constantFrom(65535, 65536, 65537)),
    {
      maxLength: 40,
    },
  );

  test.for([true, false])(
    "come back as they were, in messages of at most 64 KiB + 1 (tls: %s)",
    async (tls) => {
      await using server = await fakePortForward({ tls });
      await using tunnel = testTunnel(server);
      await fc.assert(
        fc.asyncProperty(sizes, fc.boolean(), async (chunkSizes, corked) => {
          const socket = await tunnel.connect();
          const chunks = chunkSizes.map((size) => randomBytes(size));
          const sent = Buffer.concat(chunks);
          if (corked) socket.cork();
          for (const chunk of chunks) socket.write(chunk);
          if (corked) socket.uncork();
          expect((await readBytes(socket, sent.length)).equals(sent)).toBe(true);
          socket.destroy();
        }),
        { numRuns: 15 },
      );
      const largest = Math.max(0, ...server.sessions.flatMap(({ messageSizes }) => messageSizes));
      expect(largest).toBeLessThanOrEqual(maxPayload + 1);
    },
  );

  test("of 8 MiB, written at once", async () => {
    await using server = await fakePortForward();
    await using tunnel = testTunnel(server);
    const bytes = randomBytes(8 * MiB);
    const socket = await tunnel.connect();
    socket.end(bytes);
    expect((await readBytes(socket, bytes.length)).equals(bytes)).toBe(true);
  });
});
