import { expect, test } from "vitest";
import {
  isInteractive,
  styleFor,
  symbolsFor,
  useColor,
  type OutputStream,
} from "../../../src/output/terminal.ts";

const terminal: OutputStream = { write: () => true, isTTY: true, columns: 80 };
const pipe: OutputStream = { write: () => true };

test.for([
  ["a terminal", terminal, {}, true],
  ["a pipe", pipe, {}, false],
  ["a terminal without columns", { ...terminal, columns: 0 }, {}, false],
  ["a dumb terminal", terminal, { TERM: "dumb" }, false],
  ["CI", terminal, { CI: "true" }, false],
  ["CI that is switched off", terminal, { CI: "false" }, true],
  ["an empty CI", terminal, { CI: "" }, true],
] as const)("lines are redrawn on %s: %#", ([, stream, env, expected]) => {
  expect(isInteractive(stream, env)).toBe(expected);
});

test.for([
  ["a terminal", terminal, {}, false, true],
  ["a pipe", pipe, {}, false, false],
  ["a dumb terminal", terminal, { TERM: "dumb" }, false, false],
  ["NO_COLOR", terminal, { NO_COLOR: "1" }, false, false],
  ["an empty NO_COLOR", terminal, { NO_COLOR: "" }, false, true],
  ["FORCE_COLOR in a pipe", pipe, { FORCE_COLOR: "1" }, false, true],
  ["FORCE_COLOR=0", terminal, { FORCE_COLOR: "0" }, false, false],
  ["NO_COLOR above FORCE_COLOR", pipe, { NO_COLOR: "1", FORCE_COLOR: "1" }, false, false],
  ["--no-color above FORCE_COLOR", pipe, { FORCE_COLOR: "1" }, true, false],
] as const)("color with %s: %#", ([, stream, env, noColor, expected]) => {
  expect(useColor(stream, env, noColor)).toBe(expected);
});

test("without color a style changes nothing", () => {
  const { good, bad, warn, faint, strong } = styleFor(false);
  for (const style of [good, bad, warn, faint, strong]) expect(style("text")).toBe("text");
});

test("with color a style is closed where it ends", () => {
  expect(styleFor(true).bad("no")).toBe("\u001b[31mno\u001b[39m");
});

test.for([
  ["linux", { TERM: "xterm-256color" }, "✔"],
  ["linux", { TERM: "linux" }, "+"],
  ["darwin", {}, "✔"],
  ["win32", {}, "+"],
  ["win32", { WT_SESSION: "1" }, "✔"],
] as const)("signs on %s with %o", ([platform, env, done]) => {
  expect(symbolsFor(env, platform).done).toBe(done);
});
