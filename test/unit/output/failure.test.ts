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
  expect(failureText(error, { ...plainly, about: "a:v1" })).toBe(
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

test("what nobody expected is called a bug, with its causes and what to report, without a stack", () => {
  const error = new TypeError("x is not a function", { cause: new Error("below") });
  const report = (reported: unknown) => `report of ${reported === error}\n`;
  expect(failureText(error, { ...plainly, report })).toBe(`\
error: TypeError: x is not a function
  caused by: below
hint: this is a bug in kpush; please report it with the lines below, which hold no names and no secrets

report of true
`);
});

test("a bug that kpush found out itself is told as one", () => {
  const error = new KpushError("UNEXPECTED", "the push ended without an outcome");
  const report = () => "report\n";
  expect(failureText(error, { ...plainly, report })).toMatch(
    /^error: the push .*\nhint: .*bug.*\n\nreport\n$/,
  );
});

test("the last line leads to what else is known of the error, and comes before what -v adds", () => {
  const error = new KpushError("TIMEOUT", "too late", { hint: "wait" });
  const link = (code: string) => `page of ${code}`;
  expect(failureText(error, { ...plainly, link })).toBe(
    "error: too late\nhint: wait\nmore: page of TIMEOUT\n",
  );
  expect(failureText(error, { ...plainly, link, verbose: true })).toMatch(
    /\nmore: page of TIMEOUT\ncode: TIMEOUT\n {4}at /,
  );
  expect(failureText(new Error("x"), { ...plainly, link })).toContain("more: page of UNEXPECTED\n");
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
