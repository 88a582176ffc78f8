import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatBytes,
  formatDuration,
  formatPercent,
  formatRate,
  formatTimeLeft,
} from "../../../src/output/format.ts";

test.for([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [99_949, "99.9 kB"],
  [99_950, "100 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [14_200_000, "14.2 MB"],
  [312_000_000, "312 MB"],
  [5_300_000_000, "5.3 GB"],
  [7e17, "700 PB"],
  [-1, "0 B"],
] as const)("%d bytes are %s", ([bytes, text]) => {
  expect(formatBytes(bytes)).toBe(text);
});

test("any number of bytes is at most three digits and a unit", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e15 }), (bytes) => {
      expect(formatBytes(bytes)).toMatch(/^(\d{1,3}|\d{1,2}\.\d) [kMGTP]?B$/);
    }),
  );
});

test("a rate is bytes a second", () => {
  expect(formatRate(5_100_000)).toBe("5.1 MB/s");
});

test.for([
  [0, "0 ms"],
  [12.4, "12 ms"],
  [99.4, "99 ms"],
  [99.5, "0.1 s"],
  [240, "0.2 s"],
  [3_100, "3.1 s"],
  [59_949, "59.9 s"],
  [59_950, "1 min"],
  [65_000, "1 min 5 s"],
  [119_700, "2 min"],
  [3_600_000, "1 h"],
  [7_385_000, "2 h 3 min"],
] as const)("%d ms took %s", ([milliseconds, text]) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test.for([
  [0, "1 s left"],
  [59_400, "59 s left"],
  [60_000, "1 min left"],
  [124_000, "2 min left"],
  [126_000, "2 min 10 s left"],
  [3_700_000, "1 h 1 min left"],
  [1e9, "more than a day left"],
  [Infinity, ""],
  [NaN, ""],
  [-1, ""],
] as const)("%d ms to go are told as '%s'", ([milliseconds, text]) => {
  expect(formatTimeLeft(milliseconds)).toBe(text);
});

describe("percent", () => {
  test("is rounded down", () => expect(formatPercent(2, 3)).toBe("66 %"));
  test("of nothing is nothing", () => expect(formatPercent(0, 0)).toBe("0 %"));
  test("never gets to 100, however much was sent", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e12 }), fc.integer({ min: 0 }), (total, more) => {
        expect(formatPercent(total + more, total)).toBe("99 %");
      }),
    );
  });
});
