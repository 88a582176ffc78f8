import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { posix, win32 } from "node:path";
import { KpushError, messageOf } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { Surroundings } from "../types.ts";
import { invalid, parseKubeconfig, type Entry, type Kubeconfig } from "./parse.ts";

/** All kubeconfig files as one: the first entry of a name, the first current-context. */
export interface MergedKubeconfig {
  currentContext: string | undefined;
  clusters: Map<string, Entry>;
  users: Map<string, Entry>;
  contexts: Map<string, Entry>;
  /** The files that were looked at, also those that are missing; for messages. */
  files: string[];
  /** How many of them were there. */
  found: number;
}

type Place = Pick<Surroundings, "env" | "home" | "cwd" | "platform">;

/**
 * Which files kubectl would read: `--kubeconfig` alone, which must exist; else those that KUBECONFIG
 * lists; else `~/.kube/config`. Missing ones of the last two kinds are passed over.
 *
 * @param exists - is asked only on Windows, where several directories may be the home
 */
export function kubeconfigFiles(
  option: string | undefined,
  place: Place,
  exists: (path: string) => boolean = existsSync,
): { files: string[]; required: boolean } {
  const path = place.platform === "win32" ? win32 : posix;
  if (option) return { files: [path.resolve(place.cwd, option)], required: true };
  const listed = (place.env["KUBECONFIG"] ?? "")
    .split(path.delimiter)
    .filter((file) => file !== "");
  if (place.env["KUBECONFIG"]) {
    return {
      files: [...new Set(listed)].map((file) => path.resolve(place.cwd, file)),
      required: false,
    };
  }
  const inHome = homes(place).map((home) => path.join(home, ".kube", "config"));
  const own = path.join(place.home, ".kube", "config");
  return { files: [inHome.find(exists) ?? own], required: false };
}

/** Where client-go looks on Windows, in its order; https://pkg.go.dev/k8s.io/client-go/util/homedir */
function homes({ env, platform }: Place): string[] {
  if (platform !== "win32") return [];
  const drive = env["HOMEDRIVE"];
  const path = env["HOMEPATH"];
  return [env["HOME"], drive && path && drive + path, env["USERPROFILE"]].flatMap(
    (home) => home || [],
  );
}

/**
 * Reads and merges the kubeconfig by kubectl's rules, which are client-go's loading rules.
 *
 * @throws KpushError `KUBECONFIG_NOT_FOUND` where `--kubeconfig` names no file, `KUBECONFIG_INVALID`
 *   where a file cannot be read or parsed
 */
export async function loadKubeconfig(
  option: string | undefined,
  place: Place,
): Promise<MergedKubeconfig> {
  const { files, required } = kubeconfigFiles(option, place);
  const sources = await Promise.all(files.map(readIfThere));
  const missing = files.find((_, index) => sources[index] === undefined);
  if (required && missing !== undefined) {
    throw new KpushError("KUBECONFIG_NOT_FOUND", `there is no kubeconfig ${plain(missing, 500)}`, {
      hint: "check the path given with --kubeconfig",
    });
  }
  const configs = files.flatMap((file, index) => {
    const source = sources[index];
    return source === undefined ? [] : [parseKubeconfig(source, file)];
  });
  return { ...mergeKubeconfigs(configs), files, found: configs.length };
}

/** Merges files in the order in which KUBECONFIG lists them. */
export function mergeKubeconfigs(
  configs: readonly Kubeconfig[],
): Pick<MergedKubeconfig, "currentContext" | "clusters" | "users" | "contexts"> {
  return {
    currentContext: configs.find((config) => config.currentContext !== undefined)?.currentContext,
    clusters: firstOfName(configs.flatMap((config) => config.clusters)),
    users: firstOfName(configs.flatMap((config) => config.users)),
    contexts: firstOfName(configs.flatMap((config) => config.contexts)),
  };
}

function firstOfName(entries: readonly Entry[]): Map<string, Entry> {
  const first = new Map<string, Entry>();
  for (const entry of entries) if (!first.has(entry.name)) first.set(entry.name, entry);
  return first;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw invalid(
      file,
      code === "EISDIR" ? "it is a directory" : `it cannot be read (${code ?? messageOf(error)})`,
      error,
    );
  }
}
