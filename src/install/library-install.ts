import type { KpushEvent } from "../events.ts";
import type {
  InstallLibraryOptions,
  StatusLibraryOptions,
  UninstallLibraryOptions,
} from "../library.ts";
import { withSurroundings } from "../push/library-surroundings.ts";
import type { InstallResult, StatusResult, UninstallResult } from "../results.ts";
import { install } from "./install.ts";
import { status } from "./status/status.ts";
import { uninstall } from "./uninstall.ts";

type OnEvent = ((event: KpushEvent) => void) | undefined;

/** {@link install} for library users; whoever calls it has consented, and is not asked. */
export function installFromLibrary(
  options: InstallLibraryOptions,
  onEvent: OnEvent,
): Promise<InstallResult> {
  return withSurroundings(options, onEvent, install);
}

/** {@link uninstall} for library users. */
export function uninstallFromLibrary(
  options: UninstallLibraryOptions,
  onEvent: OnEvent,
): Promise<UninstallResult> {
  return withSurroundings(options, onEvent, uninstall);
}

/** {@link status} for library users. */
export function statusFromLibrary(
  options: StatusLibraryOptions,
  onEvent: OnEvent,
): Promise<StatusResult> {
  return withSurroundings(options, onEvent, status);
}
