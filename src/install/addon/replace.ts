import type { Cluster } from "../../cluster/types.ts";
import type { InstallContext } from "../install.ts";
import type { InstallOptions, InstallResult, InstallRun } from "../types.ts";

/** Sketch: takes the place of the old addon. */
export function replaceAddon(
  _cluster: Cluster,
  _options: InstallOptions & InstallRun,
  _context: InstallContext,
): Promise<InstallResult> {
  return Promise.reject(new Error("not yet"));
}
