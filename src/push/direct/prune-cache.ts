import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { pathsOf } from "../../engine/endpoint.ts";
import { writeWhole } from "../user-files.ts";

/** What of the cache is kept. */
export interface Bounds {
  /** Milliseconds since a file was last written or read, as far as the file system notes reading. */
  age: number;
  /** Files of all registries together; those unused for longest go first. */
  files: number;
  /** Milliseconds between two looks. */
  pause: number;
}

const day = 24 * 3_600_000;

const usual: Bounds = { age: 90 * day, files: 5000, pause: day };

/**
 * Removes from the cache what is old, and what is too much; most times finds that it did so lately, and does
 * nothing. Best effort, and safe beside another run: whatever is gone is only asked for again.
 *
 * @param directory - has a directory for each registry, and in these directories of files
 */
export async function pruneCache(
  directory: string,
  platform: NodeJS.Platform,
  { age, files, pause }: Bounds = usual,
): Promise<void> {
  const { join } = pathsOf(platform);
  const stamp = join(directory, "pruned");
  const now = Date.now();
  const last = await stat(stamp).catch(() => undefined);
  // A stamp of the future, from a clock that was wrong, counts for nothing.
  if (last && Math.abs(now - last.mtimeMs) < pause) return;
  await writeWhole(directory, stamp, "");

  const list = async (path: string) =>
    (await readdir(path).catch(() => [])).map((name) => join(path, name));
  const registries = await list(directory);
  const places = (await Promise.all(registries.map(list))).flat();
  const paths = (await Promise.all(places.map(list))).flat();
  const found: { path: string; used: number }[] = [];
  for (const path of paths) {
    const about = await stat(path).catch(() => undefined);
    if (about?.isFile()) found.push({ path, used: Math.max(about.atimeMs, about.mtimeMs) });
  }
  found.sort((one, other) => other.used - one.used);
  for (const [at, { path, used }] of found.entries())
    if (at >= files || now - used > age) await rm(path, { force: true }).catch(() => undefined);
  // Those that are not empty stay.
  for (const path of [...places, ...registries]) await rmdir(path).catch(() => undefined);
}
