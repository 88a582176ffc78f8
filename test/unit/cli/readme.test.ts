import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { commands } from "../../../src/cli/commands/all.ts";
import { flagOf, optionNames, optionOf, variables } from "../../../src/cli/options.ts";
import { errorCodes } from "../../../src/errors.ts";

const readme = await readFile(new URL("../../../README.md", import.meta.url), "utf8");

/** Cells of all table rows, without the padding and the code marks. */
const rows = readme
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.replaceAll(/[`\\]/g, "").trim()))
  .map(([, ...cells]) => cells);

const hasRow = (...start: string[]) =>
  rows.some((cells) => start.every((text, index) => cells[index] === text));

test.for(Object.entries(errorCodes))("the README has %s with exit status %d", ([code, status]) => {
  expect(hasRow(code, String(status))).toBe(true);
});

test("the README has no error code that does not exist", () => {
  const codes = rows.map(([code = ""]) => code).filter((code) => /^[A-Z]+(_[A-Z]+)*$/.test(code));
  const documented = codes.filter((code) => !code.startsWith("KPUSH_"));
  expect(documented.toSorted()).toEqual(Object.keys(errorCodes).toSorted());
});

test("the README has each variable with its option, and no other one", () => {
  const documented = rows.filter(([name = ""]) => name.startsWith("KPUSH_"));
  expect(documented.map(([name, option]) => [name, option])).toEqual(
    variables.map(({ variable, option }) => [variable, `--${option}`]),
  );
});

test.for(optionNames.filter((name) => !["help", "version", "port", "cluster"].includes(name)))(
  "the README has a row for --%s",
  (name) => {
    const { short } = optionOf(name);
    const cells = rows.flatMap(([first = ""]) => first.split(/, (?=-)/));
    expect(cells).toContain(flagOf(name));
    if (short !== undefined) expect(cells).toContain(`-${short}`);
  },
);

test("the README has every command that exists", () => {
  const cells = rows.map(([first = ""]) => first);
  for (const { name, reserved } of commands) {
    if (reserved || name === "push") continue;
    expect(cells.some((cell) => cell.startsWith(`kpush ${name}`))).toBe(true);
  }
});
