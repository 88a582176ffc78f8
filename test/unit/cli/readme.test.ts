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

test("the README lists every error code under its exit status, each with the way to its section", () => {
  const list = /^- \*\*1, unexpected.*?(?=^- \*\*128)/ms.exec(readme)?.[0] ?? "";
  const documented = list.split(/^- /m).flatMap((entry) => {
    const links = [...entry.matchAll(/\[`([A-Z_]+)`\]\(docs\/errors\.md#([a-z_]+)\)/g)];
    return links.map(([, code = "", anchor]) => {
      expect(anchor).toBe(code.toLowerCase());
      return [code, Number(/^\*\*(\d)/.exec(entry)?.[1])] as const;
    });
  });
  expect(Object.fromEntries(documented)).toEqual(errorCodes);
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
