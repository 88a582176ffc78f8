import { expect, test } from "vitest";
import { temporaryParent } from "../../../src/push/archive/temp.ts";

test.for([
  ["/big/disk", "/big/disk"],
  ["", undefined],
  [undefined, undefined],
])("TMPDIR=%s", ([value, expected]) => {
  expect(temporaryParent({ TMPDIR: value })).toBe(expected);
});
