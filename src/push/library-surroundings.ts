import { homedir, platform } from "node:os";
import { resolve } from "node:path";
import type { KpushEvent } from "../events.ts";
import type { LibrarySurroundings } from "../library.ts";
import type { Context } from "./types.ts";

/**
 * Runs a use case for library users: fills in the surroundings that the command line takes from the
 * process, and hands the rest of the options on.
 */
export async function withSurroundings<Options extends LibrarySurroundings, Result>(
  { env, home, cwd, signal, pluginStdin, pluginStderr, ...options }: Options,
  onEvent: ((event: KpushEvent) => void) | undefined,
  run: (options: Omit<Options, keyof LibrarySurroundings>, context: Context) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const abort = () =>
    controller.abort(signal?.reason ?? new DOMException("kpush was aborted", "AbortError"));
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  try {
    return await run(options, {
      surroundings: {
        env,
        home: home ?? env[platform() === "win32" ? "USERPROFILE" : "HOME"] ?? homedir(),
        cwd: resolve(cwd ?? "."),
        platform: platform(),
        pluginStdin: pluginStdin ?? "ignore",
        pluginStderr: pluginStderr ?? (() => undefined),
      },
      report: onEvent ?? (() => undefined),
      signal: controller.signal,
    });
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
