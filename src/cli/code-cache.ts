import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { basename, isAbsolute, join } from "node:path";
import type { Script } from "node:vm";
import { crc32 } from "node:zlib";
import type { Host } from "./loader.ts";

/** What V8 compiled, on disk. Whoever can write to it runs code as this user: so only this user can. */
export interface CodeCache {
  /** Compiled code of a chunk, if there is any for this very Node. */
  read(id: string): Buffer | undefined;
  /** @param cached - the script was compiled from what `read` gave */
  loaded(id: string, script: Script, cached: boolean): void;
  /** Keeps what is new, with all functions compiled by now. Never throws. */
  write(): void;
}

const month = 30 * 24 * 3600 * 1000;

/** @returns undefined where there is no directory that is this user's alone */
export function openCodeCache(host: Host): CodeCache | undefined {
  const directory = privateDirectory(host);
  if (directory === undefined) return undefined;
  // A chunk's name has the hash of its content; V8 checks the rest, its own version and flags.
  const fileOf = (id: string) =>
    join(directory, `${basename(id)}-${host.version}-${host.arch}.code`);
  const scripts: { id: string; script: Script; cached: boolean }[] = [];
  return {
    read(id) {
      try {
        return unseal(readFileSync(fileOf(id)));
      } catch {
        return undefined;
      }
    },
    loaded: (id, script, cached) => void scripts.push({ id, script, cached }),
    write() {
      try {
        const fresh = scripts.filter(({ cached }) => !cached);
        if (fresh.length === 0) return;
        removeOld(directory);
        for (const { id, script } of fresh)
          replaceFile(fileOf(id), seal(script.createCachedData()), host.pid);
      } catch {
        // A full or read-only disk: the next start is as slow as this one.
      }
    },
  };
}

function privateDirectory({ env, platform, getuid }: Host): string | undefined {
  try {
    const directory = join(cacheHome(env, platform), "kpush", "code");
    let found = lstatSync(directory, { throwIfNoEntry: false });
    if (!found) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      found = lstatSync(directory);
    }
    const alone = !getuid || (found.uid === getuid() && (found.mode & 0o077) === 0);
    return alone && found.isDirectory() ? directory : undefined;
  } catch {
    return undefined;
  }
}

/** By XDG, which says that a relative path is to be ignored; else by the platform's custom. */
function cacheHome(env: Host["env"], platform: string): string {
  const set = env["XDG_CACHE_HOME"];
  if (set !== undefined && isAbsolute(set)) return set;
  const local = env["LOCALAPPDATA"];
  if (platform === "win32" && local) return local;
  return join(homedir(), ...(platform === "darwin" ? ["Library", "Caches"] : [".cache"]));
}

/** V8 trusts what it is given: a file that a power cut left half written would crash every start. */
function seal(code: Buffer): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(code));
  return Buffer.concat([code, sum]);
}

function unseal(content: Buffer): Buffer | undefined {
  if (content.length < 4) return undefined;
  const code = content.subarray(0, -4);
  return crc32(code) === content.readUInt32LE(code.length) ? code : undefined;
}

/** Two runs at once may write the same file; each reader sees one of them whole. */
function replaceFile(file: string, content: Buffer, pid: number): void {
  const temporary = `${file}.${pid}`;
  writeFileSync(temporary, content, { mode: 0o600, flag: "wx" });
  renameSync(temporary, file);
}

/** What older versions left, and runs that were killed while they wrote. */
function removeOld(directory: string): void {
  for (const name of readdirSync(directory)) {
    const file = join(directory, name);
    if (Date.now() - statSync(file).mtimeMs > month) rmSync(file, { recursive: true, force: true });
  }
}
