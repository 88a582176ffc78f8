import { imageLabel } from "../output/lines.ts";
import type { FailedOutcome } from "../push/types.ts";
import type { Outcome } from "./command.ts";

/** One failure as it is told. */
export interface Failure {
  error: unknown;
  /** What it concerns; undefined where that is all there is. */
  about: string | undefined;
}

/**
 * How failures are told, each by the first outcome that has it: what kept several images from one cluster
 * is told once, of the cluster, and an image that is not there, of the image.
 */
export function failuresOf(outcomes: readonly Outcome[]): Map<Outcome, Failure> {
  const failed = outcomes.filter((outcome): outcome is FailedOutcome => "error" in outcome);
  const told = new Map<Outcome, Failure>();
  for (const first of failed) {
    const alike = failed.filter(({ error }) => error === first.error);
    if (alike[0] !== first) continue;
    told.set(first, {
      error: first.error,
      about: outcomes.length > 1 ? subjectOf(first, alike) : undefined,
    });
  }
  return told;
}

function subjectOf({ image, context }: FailedOutcome, alike: readonly FailedOutcome[]): string {
  const images = new Set(alike.map((one) => one.image));
  const contexts = new Set(alike.map((one) => one.context));
  if (context === undefined || contexts.size > 1) return [...images].join(", ");
  return images.size > 1 ? context : imageLabel({ image, context });
}
