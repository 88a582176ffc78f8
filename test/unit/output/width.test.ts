import fc from "fast-check";
import { expect, test } from "vitest";
import { pad, truncate, widthOf } from "../../../src/output/width.ts";

test.for([
  ["", 0],
  ["myapp:dev", 9],
  ["…", 1],
  ["漢字", 4],
  ["한글", 4],
  ["ｆｕｌｌ", 8],
  ["🚀", 2],
  ["e\u0301", 1],
  ["a\u200bb", 2],
] as const)("%s takes %d columns", ([text, width]) => {
  expect(widthOf(text)).toBe(width);
});

test.for([
  ["myapp:dev", 9, "myapp:dev"],
  ["myapp:dev", 8, "myapp:d…"],
  ["myapp:dev", 1, "…"],
  ["myapp:dev", 0, ""],
  ["myapp:dev", -3, ""],
  ["two words", 5, "two…"],
  ["漢字漢字", 4, "漢…"],
  ["漢字漢字", 5, "漢字…"],
] as const)("%s in %d columns is '%s'", ([text, columns, expected]) => {
  expect(truncate(text, columns)).toBe(expected);
});

test("what is cut never takes more columns than it may", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(300), (text, columns) => {
      expect(widthOf(truncate(text, columns))).toBeLessThanOrEqual(columns);
    }),
  );
});

test("what fits is not cut", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(truncate(text, Math.max(1, widthOf(text)))).toBe(text);
    }),
  );
});

test("padding counts columns and not characters", () => {
  expect(pad("漢", 4)).toBe("漢  ");
  expect(pad("long", 2)).toBe("long");
});
