import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { commands } from "../../../src/cli/commands/all.ts";
import { optionNames, optionOf } from "../../../src/cli/options.ts";
import { runMain } from "./run-main.ts";

const texts = [
  ["main.txt", ["--help"]],
  ["push.txt", ["push", "--help"]],
  ["install.txt", ["install", "--help"]],
  ["status.txt", ["status", "--help"]],
  ["uninstall.txt", ["uninstall", "--help"]],
  ["tunnel.txt", ["tunnel", "--help"]],
  ["demo.txt", ["demo", "--help"]],
  ["completion.txt", ["completion", "--help"]],
] as const;

test.for(texts)("%s is what the help says, to the letter", async ([file, argv]) => {
  const expected = await readFile(new URL(`help/${file}`, import.meta.url), "utf8");
  expect(await runMain(argv)).toEqual({ status: 0, stdout: expected, stderr: "" });
});

test.for(texts)("%s fits into 80 columns, and no line ends in a space", async ([, argv]) => {
  const { stdout } = await runMain(argv);
  for (const line of stdout.split("\n")) {
    expect(line.length).toBeLessThanOrEqual(80);
    expect(line).toBe(line.trimEnd());
  }
});

test.for([
  [["-h"]],
  [["app:v1", "--help"]],
  [["--help", "app:v1"]],
  [["--help", "--json"]],
] as const)("%j asks for help, whatever else it says", async ([argv]) => {
  const { stdout, status } = await runMain(argv);
  expect(status).toBe(0);
  expect(stdout).toContain("Usage:\n  kpush ");
});

test("every option is described by some command", () => {
  const described = new Set(commands.flatMap(({ options }) => options));
  expect(optionNames.filter((name) => !described.has(name))).toEqual(["version"]);
});

test("no two options share a letter", () => {
  const letters = optionNames.flatMap((name) => optionOf(name).short ?? []);
  expect(new Set(letters).size).toBe(letters.length);
});

test("--version is one line", async () => {
  const { stdout, status } = await runMain(["--version"]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
});
