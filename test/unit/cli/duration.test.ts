import { expect, test } from "vitest";
import { parseDuration } from "../../../src/cli/duration.ts";

test.for([
  ["30s", 30_000],
  ["5m", 300_000],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["500ms", 500],
  ["1m500ms", 60_500],
  ["0", 0],
  ["0s", 0],
] as const)("%s is %d ms", ([text, milliseconds]) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.for(["", "30", "5 m", "-5s", "s", "1d", "5m!", "1.2.3s", ".s", "1e3s", "9999999h"])(
  "'%s' is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);
