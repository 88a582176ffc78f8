import type { KpushEvent } from "./events.ts";
import type { LibraryOptions, PushResult } from "./library.ts";

export { ExitCode, KpushError } from "./errors.ts";
export type { ErrorCode } from "./errors.ts";
export type { KpushEvent, LayerState, PushedImage, RouteName } from "./events.ts";
export type { AbortSignalLike, FailedImage, LibraryOptions, PushResult } from "./library.ts";

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
