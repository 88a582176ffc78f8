import { Readable } from "node:stream";
import type { KpushEvent, PushedImage } from "../events.ts";
import type { FailedImage, LibraryOptions, PushResult } from "../library.ts";
import { withSurroundings } from "./library-surroundings.ts";
import { push } from "./push.ts";

/** {@link push} for library users. */
export async function pushFromLibrary(
  { stdin, ...options }: LibraryOptions,
  onEvent?: (event: KpushEvent) => void,
): Promise<PushResult> {
  const open = stdin && (() => Readable.from(stdin, { objectMode: false }));
  const outcomes = await withSurroundings(options, onEvent, (choices, context) =>
    push(choices, { ...context, surroundings: { ...context.surroundings, stdin: open } }),
  );
  const images = outcomes.filter((outcome): outcome is PushedImage => "digest" in outcome);
  const failed = outcomes.filter((outcome): outcome is FailedImage => !("digest" in outcome));
  return { ok: failed.length === 0, images, failed };
}
