import { homedir, platform } from "node:os";
import { resolve } from "node:path";
import type { KpushEvent, PushedImage } from "../events.ts";
import type { FailedImage, LibraryOptions, PushResult } from "../library.ts";
import { push } from "./push.ts";

/** {@link push} for library users: fills in the surroundings that the command line takes from the process. */
export async function pushFromLibrary(
  { env, home, cwd, signal, pluginStdin, pluginStderr, ...options }: LibraryOptions,
  onEvent: (event: KpushEvent) => void = () => undefined,
): Promise<PushResult> {
  const controller = new AbortController();
  const abort = () =>
    controller.abort(signal?.reason ?? new DOMException("the push was aborted", "AbortError"));
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  try {
    const outcomes = await push(options, {
      surroundings: {
        env,
        home: home ?? env["HOME"] ?? env["USERPROFILE"] ?? homedir(),
        cwd: resolve(cwd ?? "."),
        platform: platform(),
        pluginStdin: pluginStdin ?? "ignore",
        pluginStderr: pluginStderr ?? (() => undefined),
      },
      report: onEvent,
      signal: controller.signal,
    });
    const images = outcomes.filter((outcome): outcome is PushedImage => "digest" in outcome);
    const failed = outcomes.filter((outcome): outcome is FailedImage => !("digest" in outcome));
    return { ok: failed.length === 0, images, failed };
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
