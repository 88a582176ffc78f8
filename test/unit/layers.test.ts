import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSource, type Source } from "./read-source.ts";

/** What each folder may import of the others: all, or types only. See the design. */
const rules: Record<string, { all?: string[]; types?: string[] }> = {
  cli: { all: ["push", "install", "demo", "output", "image"], types: ["cluster"] },
  push: { all: ["cluster", "tunnel", "engine", "registry", "image"] },
  install: { all: ["push", "cluster", "tunnel", "registry", "image"] },
  cluster: { all: ["image"], types: ["tunnel", "engine", "registry"] },
  tunnel: { all: ["image"], types: ["cluster", "engine", "registry"] },
  engine: { all: ["image"], types: ["cluster", "tunnel", "registry"] },
  registry: { all: ["image"], types: ["cluster", "tunnel", "engine"] },
  image: {},
  output: { all: ["image"], types: ["push"] },
  demo: {
    all: ["push", "install", "cluster", "tunnel", "engine", "registry", "image", "output"],
  },
};

/** Files beside the folders. */
const beside: Record<string, string[]> = {
  "errors.ts": [],
  "events.ts": [],
  "results.ts": ["events.ts"],
  "library.ts": ["events.ts"],
  "index.ts": ["errors.ts", "events.ts", "results.ts", "library.ts", "push", "install"],
};

/** `engine` of `engine/client.ts`; the file itself where it lies beside the folders. */
const layerOf = (file: string) => file.split("/").at(file.includes("/") ? 0 : -1) ?? "";

/** Imports that go against the rules. */
function wrongImports({ file, imports }: Source): string[] {
  const from = layerOf(file);
  const { all = [], types = [] } = rules[from] ?? {};
  // What the library offers is described beside the folders, and carried out in these two.
  const offers = from === "push" || from === "install";
  const asTypes = offers ? [...types, "library.ts"] : types;
  return imports
    .filter(({ to, onlyTypes }) => {
      const layer = layerOf(to);
      if (from === layer) return false;
      if (beside[from]) return !beside[from].includes(layer);
      if (/^(errors|events|results)\.ts$/.test(to) || all.includes(layer)) return false;
      return !(onlyTypes && asTypes.includes(layer));
    })
    .map(({ to }) => `${file} imports ${to}`);
}

const root = join(import.meta.dirname, "../../src");
const sources = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
  .map((file) => readSource(file.replaceAll("\\", "/"), readFileSync(join(root, file), "utf8")));

describe("the sources", () => {
  test("are found", () => {
    expect(sources.map(({ file }) => file)).toContain("cli/run.ts");
    expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(100);
  });

  test("lie in folders that have a rule", () => {
    const known = [...Object.keys(rules), ...Object.keys(beside)];
    expect(sources.map(({ file }) => layerOf(file)).filter((one) => !known.includes(one))).toEqual(
      [],
    );
  });

  test("import in the directions of the design", () => {
    expect(sources.flatMap(wrongImports)).toEqual([]);
  });

  test("leave the process to cli/run.ts", () => {
    const touching = sources.filter(({ touchesProcess }) => touchesProcess);
    expect(touching.map(({ file }) => file)).toEqual(["cli/run.ts"]);
  });

  test("start without loading what only a push needs", () => {
    const slow = /^(push|install|cluster|tunnel|engine|registry|demo)\/|^output\/spinner/;
    expect(loadedWith("cli/run.ts").filter((file) => slow.test(file))).toEqual([]);
    expect(loadedWith("cli/run.ts")).toContain("cli/main.ts");
  });

  test("have a loader that is alone, as it runs before anything is compiled", () => {
    expect(loadedWith("cli/loader.ts").toSorted()).toEqual(["cli/code-cache.ts", "cli/loader.ts"]);
  });
});

/** Files that are loaded at once when this one is. */
function loadedWith(file: string, seen = new Set<string>()): string[] {
  seen.add(file);
  for (const { to, onlyTypes, lazy } of sources.find((one) => one.file === file)?.imports ?? []) {
    if (!onlyTypes && !lazy && !seen.has(to)) loadedWith(to, seen);
  }
  return [...seen];
}

describe("the rules", () => {
  test.for([
    ["push/push.ts", `import { main } from "../cli/main.ts";`],
    ["push/push.ts", `import type { Io } from "../cli/command.ts";`],
    ["engine/client.ts", `import { openTunnel } from "../tunnel/pool.ts";`],
    ["engine/client.ts", `const { push } = await import("../push/push.ts");`],
    ["cluster/open.ts", `export { push } from "../push/push.ts";`],
    ["cluster/open.ts", `let push: typeof import("../push/push.ts");`],
    ["image/digest.ts", `import type { Engine } from "../engine/types.ts";`],
    ["errors.ts", `import { plain } from "./image/text.ts";`],
    ["events.ts", `import type { KpushError } from "./errors.ts";`],
    ["demo/demo.ts", `import { main } from "../cli/main.ts";`],
  ] as const)("forbid in %s: %s", ([file, text]) => {
    expect(wrongImports(readSource(file, text))).toHaveLength(1);
  });

  test.for([
    ["engine/client.ts", `import type { Connect } from "../tunnel/types.ts";`],
    ["engine/client.ts", `import { plain } from "../image/text.ts";`],
    ["push/push.ts", `import { openCluster } from "../cluster/open.ts";`],
    ["cli/main.ts", `const { push } = await import("../push/push.ts");`],
    ["cluster/kubeconfig/load.ts", `import { KpushError } from "../../errors.ts";`],
    ["cluster/kubeconfig/load.ts", `import { openCluster } from "../open.ts";`],
  ] as const)("allow in %s: %s", ([file, text]) => {
    expect(wrongImports(readSource(file, text))).toEqual([]);
  });

  test.for([
    [`process.exit(1);`, true],
    [`const { env } = process;`, true],
    [`import { env } from "node:process";`, true],
    [`globalThis.process.exit(1);`, true],
    [`host.process.exit(1);`, false],
    [`const host = { process: 1 };`, false],
  ] as const)("find the process in %s: %s", ([text, touches]) => {
    expect(readSource("cli/main.ts", text).touchesProcess).toBe(touches);
  });
});
