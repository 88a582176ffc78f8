import { expect, test } from "vitest";
import { KpushError } from "../../../src/errors.ts";
import { codeOf, helpLink } from "../../../src/output/help-link.ts";
import { Interrupted } from "../../../src/output/interrupted.ts";

const docs = "file:///opt/a%20b/_npx/0123/node_modules/kpush/docs/";
const url = `${docs}errors.md#image_not_found`;
const pipe = { write: (): void => undefined };
const terminal = { ...pipe, isTTY: true, columns: 60 };

test("a terminal shows a short text that leads to the section", () => {
  expect(helpLink(docs, terminal, {}, false)("IMAGE_NOT_FOUND")).toBe(
    `\u001b]8;;${url}\u001b\\docs/errors.md#image_not_found\u001b]8;;\u001b\\`,
  );
});

test.for([
  ["into a pipe", pipe, {}, false],
  ["into a pipe where colors are forced", pipe, { FORCE_COLOR: "1" }, false],
  ["with NO_COLOR", terminal, { NO_COLOR: "1" }, false],
  ["with --no-color", terminal, {}, true],
  ["on a dumb terminal", terminal, { TERM: "dumb" }, false],
  ["where CI records the terminal", terminal, { CI: "true" }, false],
  ["on the Linux console", terminal, { TERM: "linux" }, false],
  ["in macOS's Terminal, which has no links", terminal, { TERM_PROGRAM: "Apple_Terminal" }, false],
] as const)("%s it is the address itself", ([, stream, env, noColor]) => {
  expect(helpLink(docs, stream, env, noColor)("IMAGE_NOT_FOUND")).toBe(url);
});

test("each error has a code to be looked up by", () => {
  expect(codeOf(new KpushError("TIMEOUT", "late"))).toBe("TIMEOUT");
  expect(codeOf(new Interrupted("SIGINT", 2))).toBe("INTERRUPTED");
  expect(codeOf(new Error("what?"))).toBe("UNEXPECTED");
  expect(codeOf(undefined)).toBe("UNEXPECTED");
});
