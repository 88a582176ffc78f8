import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { commands } from "../../../src/cli/commands/all.ts";
import { optionNames, optionOf } from "../../../src/cli/options.ts";
import { errorCodes } from "../../../src/errors.ts";

const page = await readFile(new URL("../../../docs/errors.md", import.meta.url), "utf8");

/** What stands in code marks or is indented as a command line. */
const code = [
  ...[...page.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text),
  ...page.split("\n").filter((line) => line.startsWith("    ")),
];

test("each error code has a section, under its exit status", () => {
  const sections = page.split(/^## Exit code /m).flatMap((group) => {
    const status = Number.parseInt(group);
    return [...group.matchAll(/^### (.+)$/gm)].map(([, heading = ""]) => [heading, status]);
  });
  expect(Object.fromEntries(sections)).toEqual({ ...errorCodes, INTERRUPTED: 128 });
  expect(sections).toHaveLength(Object.keys(errorCodes).length + 1);
});

describe("what it says of kpush exists:", () => {
  const called = code.flatMap((text) => [...text.matchAll(/(?:^|[| ])kpush (.*)/g)]);

  test.for(called.map(([, rest = ""]) => rest.replace(/#.*/, "").trim()))("kpush %s", (line) => {
    const [first = ""] = line.split(" ");
    const named = commands.find(({ name, reserved }) => name === first && !reserved);
    const command = named ?? commands.find(({ takesImages }) => takesImages);
    for (const [, flag = ""] of line.matchAll(/(?:^|\s)(--?[a-z][a-z-]*)/g)) {
      expect(flagsOf(command?.options ?? [])).toContain(flag);
    }
    // What is no command is an image, and is written as one.
    if (!named) expect(first).toMatch(/^(?:-|COMMAND$|"|\.\/|[\w./]+:\w|[0-9a-f]{12}$)/);
  });

  test("options", () => {
    const flags = code.flatMap((text) => [...text.matchAll(/^(--[a-z-]+)/g)].map(([flag]) => flag));
    expect(flags.length).toBeGreaterThan(20);
    for (const flag of flags) expect(flagsOf(optionNames)).toContain(flag);
  });

  test("sections of other pages", async () => {
    const links = [...page.matchAll(/\]\(([\w./-]+\.md)#([\w-]+)\)/g)];
    expect(links.length).toBeGreaterThan(3);
    for (const [, file = "", anchor] of links) {
      const other = await readFile(new URL(`../../../docs/${file}`, import.meta.url), "utf8");
      const headings = [...other.matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
        text
          .toLowerCase()
          .replaceAll(/[^\w -]/g, "")
          .replaceAll(" ", "-"),
      );
      expect(headings).toContain(anchor);
    }
  });
});

function flagsOf(options: readonly (typeof optionNames)[number][]): string[] {
  return options.flatMap((name) => {
    const { short } = optionOf(name);
    return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
  });
}
