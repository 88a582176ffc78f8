import { join } from "node:path";
import { createRequire } from "node:module";
import { openCodeCache, type CodeCache } from "./code-cache.ts";
import { Script } from "node:vm";
import { readFileSync } from "node:fs";

declare const KPUSH_ENTRY: string;

/** What the loader needs of the process; it is started before anything else is there. */
export interface Host {
  env: Readonly<Record<string, string | undefined>>;
  version: string;
  arch: string;
  platform: string;
  pid: number;
  exitCode?: number | string | null | undefined;
  getuid?: (() => number) | undefined;
}

/** What run.ts exports. */
interface Entry {
  run: (directory: string, beforeExit: () => void, program?: string) => Promise<never>;
}

/**
 * Starts kpush from the chunks in `directory`. Compiling them would be most of a start's time, so what
 * V8 made of them is kept between runs; a cache that cannot be used costs that time and nothing else.
 *
 * Node's own cache (`module.enableCompileCache`, since 22.8) would do it too, but a start by it takes 7
 * of 40 ms longer than by this one, measured with --help on Node 22, 24 and 26.
 */
export function start(host: Host, directory: string, program?: string): void {
  const cache = openCodeCache(host);
  const { run } = requireFrom(directory, cache)(`./${KPUSH_ENTRY}`) as Entry;
  void run(
    join(directory, ".."),
    () => {
      // A run that failed early has compiled little of what the next one needs.
      if (host.exitCode === 0) cache?.write();
    },
    program,
  );
}

/** `require` for the chunks, each compiled from the cache where it is there. */
function requireFrom(directory: string, cache: CodeCache | undefined): (id: string) => unknown {
  const loaded = new Map<string, { exports: unknown }>();
  const builtin = createRequire(join(directory, "loader.cjs"));
  const load = (id: string): unknown => {
    if (!id.startsWith("./")) return builtin(id) as unknown;
    const before = loaded.get(id);
    if (before) return before.exports;
    const chunk = { exports: {} };
    loaded.set(id, chunk);
    const filename = join(directory, id);
    // All chunks are ASCII: as one byte a character they are read, hashed and kept the fastest.
    const source = readFileSync(filename, "latin1");
    const cachedData = cache?.read(id);
    const script = new Script(
      `(function (exports, require, module, __filename, __dirname) {${source}\n})`,
      { filename, ...(cachedData && { cachedData }) },
    );
    cache?.loaded(id, script, cachedData !== undefined && script.cachedDataRejected === false);
    const body = script.runInThisContext() as (...values: unknown[]) => void;
    body(chunk.exports, load, chunk, filename, directory);
    return chunk.exports;
  };
  return load;
}
