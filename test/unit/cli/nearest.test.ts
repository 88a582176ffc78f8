import fc from "fast-check";
import { expect, test } from "vitest";
import { KpushError } from "../../../src/errors.ts";
import { editDistance, nearest } from "../../../src/cli/nearest.ts";
import { withNearestCommand } from "../../../src/cli/suggestion.ts";

test.for([
  ["kitten", "sitting", 3],
  ["instal", "install", 1],
  ["isntall", "install", 1],
  ["", "gc", 2],
  ["same", "same", 0],
] as const)("from %s to %s it takes %d", ([a, b, distance]) => {
  expect(editDistance(a, b)).toBe(distance);
});

test("a distance is the same both ways, and at most the longer word", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});

test("no word is near to what it has little in common with", () => {
  expect(nearest("web", ["gc", "demo", "push"])).toBeUndefined();
  expect(nearest("nginx", ["gc", "demo", "push", "doctor"])).toBeUndefined();
});

test.for([
  ["instal", "kpush install"],
  ["uninstal", "kpush uninstall"],
  ["stauts", "kpush status"],
  ["dmeo", "kpush demo"],
  ["tunel", "kpush tunnel"],
  ["help", "kpush --help"],
  ["version", "kpush --version"],
] as const)("where there is no image %s, %s is offered", ([word, command]) => {
  const error = new KpushError("IMAGE_NOT_FOUND", "there is none", { hint: "docker images" });
  expect(withNearestCommand(error, word)).toMatchObject({
    code: "IMAGE_NOT_FOUND",
    message: "there is none",
    hint: `${command}, if the command is meant`,
  });
});

test("other words and other errors are left alone", () => {
  const missing = new KpushError("IMAGE_NOT_FOUND", "there is none");
  const other = new KpushError("ENGINE_NOT_FOUND", "no engine");
  expect(withNearestCommand(missing, "myapp:dev")).toBe(missing);
  expect(withNearestCommand(other, "instal")).toBe(other);
});
