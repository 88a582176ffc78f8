import { expect, test } from "vitest";
import { bytesOf } from "../../../src/install/quantity.ts";

test.for([
  ["20Gi", 20 * 2 ** 30],
  ["1.5Gi", 1.5 * 2 ** 30],
  [".5Ki", 512],
  ["+1k", 1000],
  ["20G", 20e9],
  ["2e9", 2e9],
  ["2E9", 2e9],
  ["1E", 1e18],
  ["1024", 1024],
  ["1500m", 1.5],
  ["0", 0],
] as const)("%s is %d bytes", ([quantity, bytes]) => {
  expect(bytesOf(quantity)).toBe(bytes);
});

test.for(["", "Gi", "20gi", "20GB", "20 Gi", "-1Gi", "1e", "0x10", "1,5Gi", "20Gi\n"])(
  "%j is no quantity",
  (text) => {
    expect(bytesOf(text)).toBeUndefined();
  },
);
