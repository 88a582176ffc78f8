import { randomBytes } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import type { Surroundings } from "../cluster/types.ts";
import { pathsOf } from "../engine/endpoint.ts";

/** Where kpush keeps what is safe to delete: `state` across reboots, `cache` to be quicker. */
export type Keep = "state" | "cache";

const places: Record<Keep, { variable: string; unix: string[]; mac: string[] }> = {
  state: {
    variable: "XDG_STATE_HOME",
    unix: [".local", "state"],
    mac: ["Library", "Application Support"],
  },
  cache: { variable: "XDG_CACHE_HOME", unix: [".cache"], mac: ["Library", "Caches"] },
};

/** By XDG where it is set, else by the platform's custom. */
export function userDirectory(
  keep: Keep,
  { env, home, platform }: Pick<Surroundings, "env" | "home" | "platform">,
): string {
  const { isAbsolute, join } = pathsOf(platform);
  const { variable, unix, mac } = places[keep];
  const xdg = env[variable];
  if (xdg && isAbsolute(xdg)) return join(xdg, "kpush");
  if (platform === "darwin") return join(home, ...mac, "kpush");
  if (platform === "win32")
    return join(env["LOCALAPPDATA"] || join(home, "AppData", "Local"), "kpush", keep);
  return join(home, ...unix, "kpush");
}

/** Writes a file whole or not at all, so that another run never sees half of it; what fails is let be. */
export async function writeWhole(directory: string, path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(temporary, text, { flag: "wx", mode: 0o600 });
    await rename(temporary, path);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}
