import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { extract } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KpushError } from "../../src/errors.ts";
import { ArchiveIndex } from "../../src/image/archive-index.ts";
import { digestOf } from "../../src/image/digest.ts";
import { regionEntry } from "../../src/push/archive/file.ts";
import { openArchive, openArchiveStream } from "../../src/push/archive/source.ts";
import { graphArchive, imageOf, streamOf, tarOf } from "../fakes/image-archives.ts";
import { end, pax, rawEntry, rawImage } from "../fakes/tar-blocks.ts";

const signal = new AbortController().signal;
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "hostile-test-"));
});
afterAll(() => rm(root, { recursive: true }));

/** Opens an archive; resolves with its names and the content of its first layer. */
async function read(bytes: Buffer, options: { unpacksTo?: number } = {}) {
  await writeFile(join(root, "app.tar"), bytes);
  await using archive = await openArchive("./app.tar", {
    ...{ signal, cwd: root, directory: root, ...options },
  });
  const [image] = archive.images;
  const { blobs } = await image.content(undefined);
  const layer = blobs.find(({ kind }) => kind === "layer");
  return { names: image.names, layer: layer && (await buffer(layer.entry.open(0))).toString() };
}

const good = rawImage().entries;
const sound = { names: ["app:v1"], layer: "a layer" };

describe("an archive is pushed as it is meant", () => {
  test.for([
    ["without an end", good],
    [
      "with devices, fifos and directories",
      Buffer.concat([
        rawEntry({ name: "dev/sda", type: "4", size: "777777" }),
        rawEntry({ name: "dev/null", type: "3" }),
        rawEntry({ name: "fifo", type: "6" }),
        rawEntry({ name: "etc/", type: "5" }),
        good,
        end,
      ]),
    ],
    [
      "with entries of unknown kinds",
      Buffer.concat([rawEntry({ name: "layer.tar", type: "S" }, "sparse"), good, end]),
    ],
    [
      "whose later entry replaces an earlier one",
      Buffer.concat([
        rawEntry({ name: "manifest.json" }, "{"),
        rawEntry({ name: "./layer.tar" }, "old"),
        good,
        end,
      ]),
    ],
    [
      "whose file replaces a link",
      Buffer.concat([rawEntry({ name: "manifest.json", type: "2", target: "x" }), good, end]),
    ],
    [
      "with a block of zeros inside",
      Buffer.concat([good.subarray(0, 1024), Buffer.alloc(512), good.subarray(1024), end]),
    ],
    [
      "with a pax name",
      Buffer.concat([rawImageWith(pax({ path: "layer.tar" }), { name: "x" }), end]),
    ],
    [
      "with a pax size, which goes before the header's",
      Buffer.concat([rawImageWith(pax({ size: "7" }), { name: "layer.tar", size: "0" }), end]),
    ],
    [
      "with a global pax header that would rename all",
      Buffer.concat([globalPax({ path: "../x", size: "1" }), good, end]),
    ],
    [
      "with a GNU name",
      Buffer.concat([rawImageWith(rawEntry({ type: "L" }, "layer.tar\0"), { name: "x" }), end]),
    ],
    ["with bytes after its end", Buffer.concat([good, end, Buffer.alloc(512, "x")])],
  ] as const)("%s", async ([, bytes]) => {
    expect(await read(bytes)).toEqual(sound);
  });
});

describe("an archive is refused", () => {
  test.for([
    ["whose entry leaves it", [rawEntry({ name: "../../etc/cron.d/x" }, "x")], "points out of"],
    [
      "whose pax name leaves it",
      [pax({ path: "a/../../x" }), rawEntry({ name: "a" }, "x")],
      "points out of",
    ],
    [
      "whose GNU name leaves it",
      [rawEntry({ type: "L" }, "../x\0"), rawEntry({ name: "a" })],
      "points out of",
    ],
    [
      "whose hard link leaves it",
      [rawEntry({ name: "a", type: "1", target: "../x" })],
      "points out of",
    ],
    [
      "whose link leaves it by a pax target",
      [pax({ linkpath: "/etc/shadow" }), rawEntry({ name: "a", type: "2", target: "b" })],
      "points out of",
    ],
    [
      "whose size goes beyond its end",
      [rawEntry({ name: "a", size: "77777777777" }, "x")],
      "cut off",
    ],
    [
      "whose pax size does",
      [pax({ size: "9007199254740991" }), rawEntry({ name: "a" }, "x")],
      "cut off",
    ],
    [
      "whose pax size is negative",
      [pax({ size: "-512" }), rawEntry({ name: "a" }, "x")],
      "broken one",
    ],
    [
      "whose size is negative",
      [rawEntry({ name: "a", size: Buffer.alloc(12, 0xff) })],
      "broken one",
    ],
    [
      "with a name of 2 MiB",
      [rawEntry({ type: "L" }, "a".repeat(2 << 20)), rawEntry({})],
      "has no end",
    ],
    [
      "with a pax header of 2 MiB",
      [rawEntry({ type: "x" }, "a".repeat(2 << 20)), rawEntry({})],
      "has no end",
    ],
    [
      "with 20 001 entries",
      Array.from({ length: 20_001 }, (_, at) => rawEntry({ name: `${at}` })),
      "more than 20000",
    ],
  ] as const)("%s", async ([, entries, words]) => {
    await expect(read(Buffer.concat([...entries, good, end]))).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: expect.stringContaining(words) as string,
    });
  });

  test("whose layers link in a circle, or to nothing", async () => {
    const { entries } = rawImage();
    const link = (target: string) => rawEntry({ name: "layer.tar", type: "2", target });
    for (const target of ["layer.tar", "gone", "."]) {
      await expect(read(Buffer.concat([entries, link(target), end]))).rejects.toMatchObject({
        code: "ARCHIVE_INVALID",
      });
    }
  });

  test.for([
    ["gzip", (bytes: Buffer) => zlib.gzipSync(bytes)],
    [
      "gzip in many parts",
      (bytes: Buffer) =>
        Buffer.concat(
          [0, 1, 2].map((at) =>
            zlib.gzipSync(bytes.subarray((at * bytes.length) / 3, ((at + 1) * bytes.length) / 3)),
          ),
        ),
    ],
  ] as const)("that unpacks without end, by %s", async ([, pack]) => {
    const bomb = pack(Buffer.concat([good, Buffer.alloc(6 << 20)]));
    await expect(read(bomb, { unpacksTo: 1 << 20 })).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: "./app.tar unpacks to more than 100 times its size, as no image should",
    });
    await expect(
      openArchiveStream(streamOf(bomb), { signal, directory: root, unpacksTo: 1 << 20 }),
    ).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    expect(await read(bomb)).toEqual(sound);
    expect(await readdir(root)).toEqual(["app.tar"]);
  });
});

test("a zstd archive is unpacked where Node.js can, and else told of in plain words", async () => {
  const reading = read(zstdOf(Buffer.concat([good, end])));
  if ("createZstdDecompress" in zlib) expect(await reading).toEqual(sound);
  else {
    await expect(reading).rejects.toMatchObject({
      code: "USAGE",
      hint: "use Node.js 22.15 or newer, or unpack it first: zstd -d",
    });
  }
  expect(await readdir(root)).toEqual(["app.tar"]);
});

test("whatever bytes are changed, an archive is read or refused, and nothing is written", async () => {
  const whole = Buffer.concat([await tarOf(graphArchive(imageOf([Buffer.from("l")])))]);
  const change = fc.record({
    at: fc.integer({ min: 0, max: whole.length - 1 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const bytes = Buffer.from(whole);
      for (const { at, bytes: other } of changes) bytes.set(other.slice(0, whole.length - at), at);
      await read(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(KpushError));
      expect(await readdir(root)).toEqual(["app.tar"]);
    }),
    { numRuns: 200 },
  );
});

test("no name of an entry leads to a file outside", async () => {
  const part = fc.oneof(fc.constantFrom("..", ".", "", "etc", "\\", "C:"), fc.string());
  const name = fc.array(part, { maxLength: 6 }).map((parts) => parts.join("/").slice(0, 99));
  await fc.assert(
    fc.asyncProperty(name, name, async (one, two) => {
      const index = new ArchiveIndex("x");
      const entry = regionOf();
      try {
        index.add(one, entry);
        index.addLink("link", two, "directory");
      } catch (error) {
        expect(error).toMatchObject({ code: "ARCHIVE_INVALID" });
        return;
      }
      expect([entry, undefined]).toContain(index.find("link"));
      expect(index.find(one === "link" ? two : one)).toBeDefined();
      await Promise.resolve();
    }),
  );
});

test("an archive is understood as tar-stream understands it", async () => {
  const text = fc.stringMatching(/^[a-zé]{1,60}(\/[a-z]{1,60}){0,4}$/);
  const entries = fc.uniqueArray(fc.record({ name: text, content: fc.string() }), {
    selector: ({ name }) => name,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(entries, async (list) => {
      const image = graphArchive(imageOf([Buffer.from("l")]));
      const bytes = await tarOf([...list, ...image]);
      expect(await read(bytes)).toEqual({ names: ["app:v1"], layer: "l" });
      const names: string[] = [];
      const tar = extract();
      tar.end(bytes);
      for await (const entry of tar) {
        names.push(entry.header.name);
        entry.resume();
      }
      expect(names).toEqual([...list, ...image].map(({ name }) => name));
    }),
    { numRuns: 50 },
  );
});

test("any range of an entry is what lies there", async () => {
  const { open } = await import("node:fs/promises");
  const bytes = Buffer.from(Array.from({ length: 3000 }, (_, at) => at % 251));
  const path = join(root, "app.tar");
  await writeFile(path, bytes);
  await using handle = await open(path);
  const bound = fc.nat({ max: 1500 });
  await fc.assert(
    fc.asyncProperty(bound, bound, bound, async (start, size, from) => {
      const entry = regionEntry({ handle, start, size, failure: () => new Error("read") });
      const offset = Math.min(from, size);
      const content = bytes.subarray(start, start + size);
      expect(await buffer(entry.open(offset))).toEqual(Buffer.from(content.subarray(offset)));
      expect(await entry.head(from)).toEqual(Buffer.from(content.subarray(0, from)));
    }),
  );
});

function regionOf() {
  return {
    ...{ size: 0, digest: digestOf(Buffer.alloc(0)) },
    head: () => Promise.resolve(Buffer.alloc(0)),
    open: () => streamOf(Buffer.alloc(0)),
  };
}

/** The image with what stands before its layer, and the layer's own header. */
function rawImageWith(before: Buffer, header: Parameters<typeof rawEntry>[0]): Buffer {
  const { entries } = rawImage();
  return Buffer.concat([before, rawEntry(header, "a layer"), entries.subarray(1024)]);
}

function globalPax(values: Record<string, string>): Buffer {
  const content = pax(values).subarray(512).toString().replace(/\0+$/, "");
  return rawEntry({ name: "pax_global_header", type: "g" }, content);
}

/** RFC 8878: a frame of blocks that are not compressed. */
function zstdOf(bytes: Buffer): Buffer {
  const size = 65_536;
  const count = Math.ceil(bytes.length / size);
  const blocks = Array.from({ length: count }, (_, at) => {
    const block = bytes.subarray(at * size, (at + 1) * size);
    const header = Buffer.alloc(3);
    header.writeUIntLE(block.length * 8 + (at === count - 1 ? 1 : 0), 0, 3);
    return Buffer.concat([header, block]);
  });
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]), ...blocks]);
}
