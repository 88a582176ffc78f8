import { statfs } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { Engine } from "../engine/types.ts";
import { GrowingFile } from "./archive/growing-file.ts";
import { temporaryParent } from "./archive/temp.ts";
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
 * where there is no room for it, or it broke, each has the engine export the image anew.
 */
export function shareExports(sources: readonly Source[], context: Context): SharedSources {
  const exports = new Map<string, Promise<GrowingFile | undefined>>();
  const begun: Promise<GrowingFile | undefined>[] = [];
  const room = openRoom(context);
  const all = sources.map((source): Source => {
    if (source.kind !== "engine") return source;
    const { engine, local } = source;
    const keep = async (name: string, platform: string | undefined) => {
      if (!(await room.take(local.size))) return undefined;
      const content = await engine.export(name, platform);
      return GrowingFile.open(content, temporaryParent(context.surroundings.env));
    };
    const share = async (name: string, platform?: string): Promise<Readable> => {
      const key = JSON.stringify([name, platform]);
      const known = exports.get(key);
      const file = known ?? keep(name, platform);
      if (!known) {
        exports.set(key, file);
        begun.push(file);
        // Whoever comes next may try again.
        file.then((one) => one?.filled).catch(() => exports.delete(key));
      }
      return (await file)?.open() ?? engine.export(name, platform);
    };
    // Its getters tell what the engine said last.
    return { ...source, engine: Object.create(engine, { export: { value: share } }) as Engine };
  });
  return {
    all,
    async [Symbol.asyncDispose]() {
      for (const file of begun)
        await file.then((one) => one?.[Symbol.asyncDispose]()).catch(() => undefined);
    },
  };
}

/** The space for temporary files, as it is at first: exports that begin together must find room beside one another. */
function openRoom({ surroundings, report }: Context) {
  const where = temporaryParent(surroundings.env) ?? "/var/tmp";
  let free: Promise<number> | undefined;
  let taken = 0;
  return {
    async take(size: number): Promise<boolean> {
      free ??= statfs(where).then(
        ({ bavail, bsize }) => bavail * bsize,
        () => Infinity, // the file itself will tell
      );
      const most = (await free) * shareOfDisk;
      if (taken + size <= most) {
        taken += size;
        return true;
      }
      const message = `${where} has no room for the export: each context has the engine export it anew`;
      report({ type: "debug", message });
      return false;
    },
  };
}
