import { Readable } from "node:stream";
import type { KpushEvent } from "../events.ts";
import type { DryRunResult, FailedImage, LibraryOptions, PushResult } from "../library.ts";
import { withSurroundings } from "./library-surroundings.ts";
import { push } from "./push.ts";
import type { Context, FailedOutcome, PushOptions } from "./types.ts";

type OnEvent = (event: KpushEvent) => void;

/** {@link push} for library users. */
export async function pushFromLibrary(
  options: LibraryOptions,
  onEvent?: OnEvent,
): Promise<PushResult> {
  return sorted(options, onEvent, push);
}

/** `dryRun` for library users. */
export async function dryRunFromLibrary(
  options: LibraryOptions,
  onEvent?: OnEvent,
): Promise<DryRunResult> {
  const { dryRun } = await import("./dry-run.ts");
  return sorted(options, onEvent, dryRun);
}

/** Runs it and tells what went well from what failed. */
async function sorted<Image extends { image: string }>(
  { stdin, ...options }: LibraryOptions,
  onEvent: OnEvent | undefined,
  run: (options: PushOptions, context: Context) => Promise<(Image | FailedOutcome)[]>,
): Promise<{ ok: boolean; images: Image[]; failed: FailedImage[] }> {
  const open = stdin && (() => Readable.from(stdin, { objectMode: false }));
  const outcomes = await withSurroundings(options, onEvent, (choices, context) =>
    run(choices, { ...context, surroundings: { ...context.surroundings, stdin: open } }),
  );
  const images = outcomes.filter((outcome): outcome is Image => !("error" in outcome));
  const failed = outcomes.filter((outcome): outcome is FailedImage => "error" in outcome);
  return { ok: failed.length === 0, images, failed };
}
