import type { KpushEvent } from "./events.ts";
import type {
  DryRunResult,
  InstallLibraryOptions,
  LibraryOptions,
  PushResult,
  StatusLibraryOptions,
  UninstallLibraryOptions,
} from "./library.ts";
import type { InstallResult, StatusResult, UninstallResult } from "./results.ts";

export { ExitCode, KpushError } from "./errors.ts";
export type { ErrorCode } from "./errors.ts";
export type {
  KpushEvent,
  LayerReport,
  LayerState,
  ObjectAction,
  PlannedImage,
  PushedImage,
  RouteName,
} from "./events.ts";
export type {
  AbortSignalLike,
  ClusterChoice,
  DryRunResult,
  FailedImage,
  InstallLibraryOptions,
  LibraryOptions,
  LibrarySurroundings,
  PushResult,
  StatusLibraryOptions,
  UninstallLibraryOptions,
} from "./library.ts";
export type { InstallResult, ObjectResult, StatusResult, UninstallResult } from "./results.ts";

/**
 * Pushes container images into the registry of a Kubernetes cluster, as `kpush IMAGE…` does. Prints
 * nothing and reads nothing of the process: the environment is an option.
 *
 * ```ts
 * const { images } = await push({ images: ["myapp:dev"], env: process.env });
 * console.log(images[0].pullRef); // localhost:5000/myapp:dev@sha256:…
 * ```
 *
 * @param onEvent - receives what happens, as data; must not throw
 * @throws KpushError what concerns every image; or the signal's reason once that is aborted
 */
export async function push(
  options: LibraryOptions,
  onEvent?: (event: KpushEvent) => void,
): Promise<PushResult> {
  const { pushFromLibrary } = await import("./push/library-push.ts");
  return pushFromLibrary(options, onEvent);
}

/**
 * Tells what {@link push} would do with the same options, layer by layer, as `kpush --dry-run` does. Sends
 * nothing, and leaves the engine as it is.
 *
 * ```ts
 * const { images } = await dryRun({ images: ["myapp:dev"], env: process.env });
 * console.log(images[0].layers.at(-1)); // { id: "sha256:…", state: "new", bytes: 212000000, step: "COPY . ." }
 * ```
 *
 * @param onEvent - receives what happens, as data; must not throw
 * @throws KpushError as {@link push}
 */
export async function dryRun(
  options: LibraryOptions,
  onEvent?: (event: KpushEvent) => void,
): Promise<DryRunResult> {
  const { dryRunFromLibrary } = await import("./push/library-push.ts");
  return dryRunFromLibrary(options, onEvent);
}

/**
 * Installs the registry and the nodes' way to it, or upgrades it, as `kpush install` does; asks nothing.
 *
 * ```ts
 * const { pullAddress } = await install({ env: process.env, allowPush: ["group:developers"] });
 * ```
 *
 * @param onEvent - receives what happens, as data; must not throw
 * @throws KpushError what could not be installed, did not become ready, or was not proved; or the
 *   signal's reason once that is aborted
 */
export async function install(
  options: InstallLibraryOptions,
  onEvent?: (event: KpushEvent) => void,
): Promise<InstallResult> {
  const { installFromLibrary } = await import("./install/library-install.ts");
  return installFromLibrary(options, onEvent);
}

/**
 * Removes what {@link install} made, as `kpush uninstall` does; asks nothing. The claim with the images
 * stays unless `deleteData` is set. Where nothing is installed it does nothing.
 *
 * @throws KpushError what could not be removed; or the signal's reason once that is aborted
 */
export async function uninstall(
  options: UninstallLibraryOptions,
  onEvent?: (event: KpushEvent) => void,
): Promise<UninstallResult> {
  const { uninstallFromLibrary } = await import("./install/library-install.ts");
  return uninstallFromLibrary(options, onEvent);
}

/**
 * Tells how the installed registry is, as `kpush status` does. One that is not well is a result, with
 * `healthy` false, and no error.
 *
 * @throws KpushError `NOT_INSTALLED`, and what keeps it from looking; or the signal's reason once that
 *   is aborted
 */
export async function status(
  options: StatusLibraryOptions,
  onEvent?: (event: KpushEvent) => void,
): Promise<StatusResult> {
  const { statusFromLibrary } = await import("./install/library-install.ts");
  return statusFromLibrary(options, onEvent);
}
