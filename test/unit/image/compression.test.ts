import { expect, test } from "vitest";
import { parseCompression } from "../../../src/image/compression.ts";

test.for([
  ["auto", { kind: "auto" }],
  ["none", { kind: "none" }],
  ["gzip", { kind: "gzip", level: 6 }],
  ["gzip:1", { kind: "gzip", level: 1 }],
  ["gzip:9", { kind: "gzip", level: 9 }],
  ["gzip:0", undefined],
  ["gzip:10", undefined],
  ["gzip:", undefined],
  ["zstd", { kind: "zstd", level: 3 }],
  ["zstd:19", { kind: "zstd", level: 19 }],
  ["zstd:20", undefined],
  ["none:1", undefined],
  ["GZIP", undefined],
  ["", undefined],
] as const)("%j is read as %j", ([text, expected]) => {
  expect(parseCompression(text)).toEqual(expected);
});
