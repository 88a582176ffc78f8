import { randomBytes } from "node:crypto";
import * as zlib from "node:zlib";
import { expect, test } from "vitest";
import { gzipCoder, openDeflate } from "../../../src/push/direct/coders.ts";
import { compressInBlocks } from "../../../src/push/direct/blocks.ts";
import { Slots } from "../../../src/registry/slots.ts";
import { choosePacker } from "../../../src/push/direct/packer.ts";

const MiB = 1024 * 1024;

/** Text that repeats itself over long distances, and noise. */
function content(size: number): Buffer {
  const noise = randomBytes(20_000);
  const text = Buffer.from("the same words again and again; ".repeat(600));
  const parts: Buffer[] = [];
  for (let length = 0; length < size; length += noise.length + text.length) parts.push(noise, text);
  return Buffer.concat(parts).subarray(0, size);
}

/** A stream whose chunks have the given size, and are overwritten once the next two were read. */
async function* streamOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  const buffers = [Buffer.alloc(size), Buffer.alloc(size), Buffer.alloc(size)];
  for (let at = 0, turn = 0; at < bytes.length; at += size, turn += 1) {
    const buffer = buffers[turn % 3] ?? Buffer.alloc(0);
    yield await Promise.resolve(buffer.subarray(0, bytes.copy(buffer, 0, at, at + size)));
  }
}

async function packed(
  bytes: Buffer,
  level: number,
  chunk: number,
  width: number,
  working = new Slots(width),
  deflate = openDeflate(level),
) {
  const source = streamOf(bytes, chunk);
  const chunks: Buffer[] = [];
  for await (const one of compressInBlocks(source, gzipCoder(deflate), width, working))
    chunks.push(one);
  return Buffer.concat(chunks);
}

test.for([0, 1, 100, MiB - 1, MiB, MiB + 1, 5 * MiB, 5 * MiB + 12_345])(
  "%d bytes packed in blocks are one gzip member that unpacks to them",
  async (size) => {
    const bytes = content(size);
    const gzip = await packed(bytes, 6, 65_536, 3);
    expect(zlib.gunzipSync(gzip).equals(bytes)).toBe(true);
    // A single member: what follows the first one would be left over.
    const inflate = zlib.inflateRawSync(gzip.subarray(10), { info: true });
    const { engine } = inflate as unknown as { engine: { bytesWritten: number } };
    expect(engine.bytesWritten).toBe(gzip.length - 18);
  },
);

test("what comes out does not depend on how the stream was cut, or on the number of cores", async () => {
  const bytes = content(4 * MiB + 7);
  const one = await packed(bytes, 1, 65_536, 1);
  expect((await packed(bytes, 1, 1000, 9)).equals(one)).toBe(true);
  expect((await packed(bytes, 1, 3 * MiB, 4)).equals(one)).toBe(true);
  expect((await packed(bytes, 9, 65_536, 4)).length).toBeLessThan(one.length);
});

test("streams that share the cores give what each gives alone", async () => {
  const all = [content(3 * MiB + 5), content(2 * MiB), content(100)];
  const alone = await Promise.all(all.map((bytes) => packed(bytes, 1, 65_536, 3)));
  const working = new Slots(1);
  const together = await Promise.all(all.map((bytes) => packed(bytes, 1, 65_536, 3, working)));
  expect(together.map((bytes, at) => bytes.equals(alone[at] ?? bytes.subarray(1)))).toEqual([
    true,
    true,
    true,
  ]);
});

test.for([1, 6])(
  "what was packed before does not change what comes out, at level %d",
  async (level) => {
    // Text, noise and both, so that a stream's window, tables and pieces of output are never the same twice.
    const all = [
      content(3 * MiB + 5),
      randomBytes(2 * MiB + 1),
      Buffer.alloc(2 * MiB, "a"),
      content(9),
    ];
    const alone = await Promise.all(all.map((bytes) => packed(bytes, level, 65_536, 3)));
    const [deflate, working] = [openDeflate(level), new Slots(2)];
    for (const [at, bytes] of [...all.entries(), ...all.entries()].reverse())
      expect(
        (await packed(bytes, level, 1 + MiB, 2, working, deflate)).equals(alone[at] ?? bytes),
      ).toBe(true);
  },
);

test("packed in blocks it is hardly larger than in one go", async () => {
  const bytes = content(8 * MiB);
  const whole = zlib.gzipSync(bytes, { level: 6 }).length;
  expect((await packed(bytes, 6, 65_536, 4)).length).toBeLessThan(whole * 1.01);
});

test("a stream that fails ends the packing with its error", async () => {
  const failure = new Error("the disk broke");
  async function* broken() {
    yield await Promise.resolve(content(3 * MiB));
    throw failure;
  }
  const all = async () => {
    const packing = compressInBlocks(broken(), gzipCoder(openDeflate(1)), 2, new Slots(2));
    while (!(await packing.next()).done);
  };
  await expect(all()).rejects.toBe(failure);
});

test.for([
  ["near, on few cores", { roundTrip: 1, cores: 2 }, "gzip:1"],
  ["near, on many cores", { roundTrip: 1, cores: 16 }, "gzip:6"],
  ["far", { roundTrip: 40, cores: 2 }, "gzip:6"],
] as const)("auto %s is %s", ([, conditions, name]) => {
  expect(choosePacker({ kind: "auto" }, conditions)?.name).toBe(name);
});

test("what is asked for is taken, wherever it is", () => {
  const conditions = { roundTrip: 1, cores: 2 };
  expect(choosePacker({ kind: "none" }, conditions)).toBeUndefined();
  expect(choosePacker({ kind: "gzip", level: 9 }, conditions)?.name).toBe("gzip:9");
});

const hasZstd = "zstdCompress" in zlib;

test("zstd unpacks to what it was, whatever was packed before; on a Node.js without it, it is a usage error that says so", async () => {
  const choose = () => choosePacker({ kind: "zstd", level: 3 }, { roundTrip: 1 });
  if (!hasZstd) {
    expect(choose).toThrow("this version of Node.js has no zstd");
    return;
  }
  const bytes = content(5 * MiB + 3);
  const pack = async (packer = choose()) => {
    const chunks: Buffer[] = [];
    for await (const chunk of packer?.pack(streamOf(bytes, 65_536)) ?? []) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const withZstd = zlib as unknown as { zstdDecompressSync: (from: Buffer) => Buffer };
  const alone = await pack();
  expect(withZstd.zstdDecompressSync(alone).equals(bytes)).toBe(true);
  const packer = choose();
  await pack(packer);
  expect((await pack(packer)).equals(alone)).toBe(true);
});
