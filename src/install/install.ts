import type { KubeObject } from "../cluster/objects.ts";
import type { Context } from "../push/types.ts";
import type { InstallOptions, InstallResult, InstallRun } from "./types.ts";

/** What an installation works with; `confirm` asks the user, where there is one. */
export interface InstallContext extends Context {
  confirm?: ((question: string) => Promise<boolean>) | undefined;
}

/** Sketch: installs or upgrades. */
export function install(
  _options: InstallOptions & InstallRun,
  _context: InstallContext,
): Promise<InstallResult> {
  throw new Error("not yet");
}

/** Sketch: what `-o` prints; makes no request. */
export function renderInstall(
  _options: InstallOptions,
  _context: Pick<Context, "surroundings">,
): Promise<KubeObject[]> {
  throw new Error("not yet");
}

/** Sketch: what `--diff` prints. */
export function diffInstall(
  _options: InstallOptions & InstallRun,
  _context: Context,
): Promise<string> {
  throw new Error("not yet");
}
