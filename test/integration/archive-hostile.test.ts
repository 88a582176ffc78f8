import * as zlib from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openArchiveStream } from "../../src/push/archive/source.ts";
import { openArchiveReader, type ArchiveReader } from "../fakes/archive-reader.ts";
import { streamOf } from "../fakes/image-archives.ts";
import { end, pax, rawEntry, rawImage } from "../fakes/tar-blocks.ts";

let archives: ArchiveReader;
beforeAll(async () => {
  archives = await openArchiveReader();
});
afterAll(() => archives[Symbol.asyncDispose]());

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
    expect(await archives.read(bytes)).toEqual(sound);
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
    await expect(archives.read(Buffer.concat([...entries, good, end]))).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: expect.stringContaining(words) as string,
    });
  });

  test("whose layers link in a circle, or to nothing", async () => {
    const { entries } = rawImage();
    const link = (target: string) => rawEntry({ name: "layer.tar", type: "2", target });
    for (const target of ["layer.tar", "gone", "."]) {
      await expect(
        archives.read(Buffer.concat([entries, link(target), end])),
      ).rejects.toMatchObject({
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
    await expect(archives.read(bomb, { unpacksTo: 1 << 20 })).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: "./app.tar unpacks to more than 100 times its size, as no image should",
    });
    await expect(
      openArchiveStream(streamOf(bomb), {
        signal: new AbortController().signal,
        directory: archives.directory,
        unpacksTo: 1 << 20,
      }),
    ).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    expect(await archives.read(bomb)).toEqual(sound);
    expect(await archives.files()).toEqual(["app.tar"]);
  });
});

test("a zstd archive is unpacked where Node.js can, and else told of in plain words", async () => {
  const reading = archives.read(zstdOf(Buffer.concat([good, end])));
  if ("createZstdDecompress" in zlib) expect(await reading).toEqual(sound);
  else {
    await expect(reading).rejects.toMatchObject({
      code: "USAGE",
      hint: "use Node.js 22.15 or newer, or unpack it first: zstd -d",
    });
  }
  expect(await archives.files()).toEqual(["app.tar"]);
});

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
