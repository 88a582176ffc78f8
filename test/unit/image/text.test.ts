import fc from "fast-check";
import { expect, test } from "vitest";
import { plain } from "../../../src/image/text.ts";

test("line breaks become spaces; what moves the cursor or reorders a line goes", () => {
  expect(plain("a\r\nb\tc\u001b[31m\u202ed\u200b")).toBe("a b c[31md");
});

test("a long text is cut, and says so", () => {
  expect(plain("x".repeat(30), 10)).toBe(`${"x".repeat(10)}…`);
});

test("no text gets a control character through", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(plain(text)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});
