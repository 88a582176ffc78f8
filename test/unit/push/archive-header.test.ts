import fc from "fast-check";
import { expect, test } from "vitest";
import { readHeader, readPax } from "../../../src/push/archive/header.ts";
import { rawEntry } from "../../fakes/tar-blocks.ts";

const binary = (...bytes: number[]) =>
  Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11 - bytes.length), Buffer.from(bytes)]);

test.for([
  ["a file", { name: "a" }, { kind: "file", name: "a", size: 0 }],
  ["a file of Unix V7", { name: "a", type: "\0", magic: "" }, { kind: "file", name: "a" }],
  ["a directory of Unix V7", { name: "a/", magic: "" }, { kind: "other" }],
  ["a contiguous file", { name: "a", type: "7" }, { kind: "file" }],
  ["a long POSIX name", { name: "b", prefix: "a" }, { name: "a/b" }],
  ["a GNU header, which has no prefix", { name: "b", prefix: "a", magic: "ustar " }, { name: "b" }],
  ["a symbolic link", { name: "a", type: "2", target: "b" }, { kind: "symlink", target: "b" }],
  ["a hard link", { name: "a", type: "1", target: "b" }, { kind: "link", target: "b" }],
  ["a device with a size", { name: "a", type: "3", size: "777" }, { kind: "other", size: 0 }],
  ["a link with a size", { name: "a", type: "2", size: "777" }, { kind: "symlink", size: 0 }],
  ["spaces round the size", { size: "  17 \0" }, { size: 15 }],
  ["a size in GNU's way", { size: binary(2, 0, 0, 0, 0) }, { size: 8 * 1024 ** 3 }],
] as const)("%s is read", ([, header, expected]) => {
  expect(readHeader(rawEntry(header).subarray(0, 512))).toMatchObject(expected);
});

test.for([
  ["a negative size", rawEntry({ size: Buffer.alloc(12, 0xff) })],
  ["a size beyond all numbers", rawEntry({ size: binary(1, 0, 0, 0, 0, 0, 0, 0) })],
  ["a size that is no number", rawEntry({ size: "12x" })],
  ["a wrong checksum", rawEntry({ name: "a" }).fill("b", 0, 1)],
  ["text", Buffer.alloc(512, "x")],
] as const)("%s is refused", ([, block]) => {
  expect(() => readHeader(block)).toThrow();
});

test("zeros are the end", () => {
  expect(readHeader(Buffer.alloc(512))).toBeUndefined();
});

test("pax lines say names, targets and sizes, and the last one holds", () => {
  const bytes = Buffer.from("11 path=é\n9 path=b\n14 linkpath=c\n9 size=7\n11 mtime=1\n");
  expect(readPax(bytes)).toEqual({ name: "b", target: "c", size: 7 });
  expect(readPax(Buffer.alloc(0))).toEqual({});
});

test.for([
  "path=a\n",
  "7 path=a\n",
  "99 path=a\n",
  "0 path=a\n",
  "-9 path=a\n",
  "9 path=ab",
  "10 size=-1\n",
  "10 size=1e\n",
  "4 a\n",
  `${"9".repeat(400)} path=a\n`,
])("the pax header %j is refused", (text) => {
  expect(() => readPax(Buffer.from(text))).toThrow();
});

test("no bytes lead to more than an error or a header of sound values", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), (bytes) => {
      const block = Buffer.from(bytes);
      block.fill(" ", 148, 156);
      const sum = block.reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8)}\0`, 148);
      try {
        const size = readHeader(block)?.size ?? 0;
        expect(Number.isSafeInteger(size) && size >= 0).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});
