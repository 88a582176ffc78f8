import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { pruneCache } from "../../../src/push/direct/prune-cache.ts";

const day = 24 * 3_600_000;
const bounds = { age: 90 * day, files: 3, pause: day };

/** A cache of these files, each unused for so many days. */
async function cacheOf(files: Record<string, number>) {
  const directory = await mkdtemp(join(tmpdir(), "prune-test-"));
  for (const [name, days] of Object.entries(files)) await put(join(directory, name), days);
  return {
    directory,
    async files() {
      const all = await readdir(directory, { recursive: true });
      return all.filter((name) => name !== "pruned").sort();
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

async function put(path: string, days: number): Promise<void> {
  const used = new Date(Date.now() - days * day);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, "{}");
  await utimes(path, used, used);
}

test("what is old goes, of every registry, with the directories that it leaves empty", async () => {
  await using cache = await cacheOf({ "a/layers/1": 1, "a/images/2": 91, "b/layers/3": 200 });
  await pruneCache(cache.directory, "linux", bounds);
  expect(await cache.files()).toEqual(["a", "a/layers", "a/layers/1"]);
});

test("of too much, what was not used for longest goes", async () => {
  await using cache = await cacheOf({
    ...{ "a/layers/1": 4, "a/layers/2": 1, "a/images/3": 3, "b/layers/4": 2, "b/layers/5": 5 },
  });
  await pruneCache(cache.directory, "linux", bounds);
  const kept = (await cache.files()).filter((name) => /\d/.test(name));
  expect(kept).toEqual(["a/images/3", "a/layers/2", "b/layers/4"]);
});

test.for([
  ["today", 0, true],
  ["two days ago", 2, false],
  ["in two days", -2, false],
] as const)("a look that was %s", async ([, days, isKept]) => {
  await using cache = await cacheOf({ "a/layers/1": 91, pruned: days });
  await pruneCache(cache.directory, "linux", bounds);
  expect((await cache.files()).includes("a/layers/1")).toBe(isKept);
});

test("two looks at once, or none to look at, are no error", async () => {
  await using cache = await cacheOf({ "a/layers/1": 91, "a/layers/2": 1 });
  const look = () => pruneCache(cache.directory, "linux", { ...bounds, pause: 0 });
  await Promise.all([look(), look(), look()]);
  expect(await cache.files()).toEqual(["a", "a/layers", "a/layers/2"]);
  await pruneCache("/dev/null/none", "linux", bounds);
});
