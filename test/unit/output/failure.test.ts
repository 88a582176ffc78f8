import { expect, test } from "vitest";
import { KpushError } from "../../../src/errors.ts";
import { causes, failureText } from "../../../src/output/failure.ts";
import { Interrupted } from "../../../src/output/interrupted.ts";
import { styleFor } from "../../../src/output/terminal.ts";

const plainly = { style: styleFor(false), verbose: false };

test("an expected failure is told with its hint, and nothing else", () => {
  const cause = new Error("connect ECONNREFUSED");
  const error = new KpushError("ENGINE_UNREACHABLE", "Docker does not answer", {
    hint: "systemctl start docker",
    cause,
  });
  expect(failureText(error, plainly)).toBe(
    "error: Docker does not answer\nhint: systemctl start docker\n",
  );
});

test("an error without a hint has no hint line", () => {
  expect(failureText(new KpushError("TIMEOUT", "too late"), plainly)).toBe("error: too late\n");
});

test("where several images were pushed, the image is named", () => {
  const error = new KpushError("IMAGE_NOT_FOUND", "there is no such image");
  expect(failureText(error, { ...plainly, image: "a:v1" })).toBe(
    "error: a:v1: there is no such image\n",
  );
});

test("-v adds causes, code and stack", () => {
  const cause = new TypeError("inner", { cause: new Error("innermost") });
  const error = new KpushError("TUNNEL_FAILED", "the tunnel broke", { hint: "again", cause });
  const lines = failureText(error, { ...plainly, verbose: true }).split("\n");
  expect(lines.slice(0, 5)).toEqual([
    "error: the tunnel broke",
    "  caused by: TypeError: inner",
    "  caused by: innermost",
    "hint: again",
    "code: TUNNEL_FAILED",
  ]);
  expect(lines[5]).toMatch(/^ {4}at /);
});

test("what nobody expected is called a bug, with its causes and without a stack", () => {
  const error = new TypeError("x is not a function", { cause: new Error("below") });
  expect(failureText(error, plainly)).toBe(`\
error: TypeError: x is not a function
  caused by: below
hint: this is a bug in kpush; please report it, with what the same command says with -v
`);
});

test.for(["a string", 42, null, undefined])("even %o can be thrown", (thrown) => {
  expect(failureText(thrown, { ...plainly, verbose: true })).toContain(`error: ${thrown}\n`);
});

test("a signal is no error", () => {
  expect(failureText(new Interrupted("SIGTERM", 15), plainly)).toBe("interrupted by SIGTERM\n");
});

test("a chain of causes that bites its tail ends", () => {
  const first = new Error("first");
  first.cause = new Error("second", { cause: first });
  expect(causes(first)).toEqual(["second"]);
});
