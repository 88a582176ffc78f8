import { statfs } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Engine, LocalImage } from "../engine/types.ts";
import { GrowingFile } from "./archive/growing-file.ts";
import type { Source } from "./sources.ts";
import type { Context } from "./types.ts";

/** Of the space that is free: as for archives on standard input, a full disk harms more than a second read. */
const shareOfDisk = 0.9;

/** Disposing it ends what is still being read, and removes the files. */
export interface SharedSources extends AsyncDisposable {
  all: Source[];
}

/**
 * The sources for pushes to several clusters: what is exported for one of them serves the others, whenever
 * they come. An export goes to a temporary file, from which each reads at its own pace while it is being written;
 * where there is no room for it, each has the engine export the image anew.
 */
export function shareExports(sources: readonly Source[], context: Context): SharedSources {
  const exports = new Map<string, Promise<GrowingFile>>();
  const all = sources.map((source): Source => {
    if (source.kind !== "engine") return source;
    const { engine, local } = source;
    const share = async (name: string, platform?: string): Promise<Readable> => {
      const key = JSON.stringify([name, platform]);
      const known = exports.get(key);
      if (!known && !(await hasRoom(local, context))) return engine.export(name, platform);
      const file = exports.get(key) ?? begin(engine, name, platform, context);
      exports.set(key, file);
      file.catch(() => exports.delete(key)); // whoever comes next may try again
      return (await file).open();
    };
    // Its getters tell what the engine said last.
    return { ...source, engine: Object.create(engine, { export: { value: share } }) as Engine };
  });
  return {
    all,
    async [Symbol.asyncDispose]() {
      for (const file of exports.values())
        await file.then((one) => one[Symbol.asyncDispose]()).catch(() => undefined);
    },
  };
}

async function begin(
  engine: Engine,
  name: string,
  platform: string | undefined,
  { surroundings }: Context,
): Promise<GrowingFile> {
  const content = await engine.export(name, platform);
  return GrowingFile.open(content, surroundings.env["TMPDIR"]);
}

async function hasRoom({ size }: LocalImage, { surroundings, report }: Context): Promise<boolean> {
  const where = surroundings.env["TMPDIR"] ?? "/var/tmp";
  const free = await statfs(where).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Infinity, // the file itself will tell
  );
  if (size <= free * shareOfDisk) return true;
  const message = `${where} has no room for the export: each context has the engine export it anew`;
  report({ type: "debug", message });
  return false;
}
