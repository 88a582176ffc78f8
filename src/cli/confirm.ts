import { KpushError } from "../errors.ts";
import type { Io } from "./command.ts";

/** Asks a question that only yes and no answer; no is what a bare Enter means. */
export type Confirm = (question: string) => Promise<boolean>;

/** Undefined where there is no terminal to ask on. */
export function confirmOn({ ask }: Io, signal: AbortSignal): Confirm | undefined {
  if (!ask) return undefined;
  return async (question) => {
    const answer = await ask(`${question} [y/N] `, signal);
    return /^y(es)?$/i.test(answer.trim());
  };
}

/**
 * The user's consent: given beforehand with `-y`, or asked for.
 *
 * @param doing - what it is about, e.g. `kpush uninstall --delete-data`
 * @returns a {@link Confirm} that throws KpushError `USAGE` where there is no terminal to ask on
 */
export function consent(doing: string, yes: boolean, io: Io, signal: AbortSignal): Confirm {
  if (yes) return () => Promise.resolve(true);
  return (
    confirmOn(io, signal) ??
    (() =>
      Promise.reject(
        new KpushError("USAGE", `${doing} asks first, and there is no terminal to ask on`, {
          hint: `${doing} --yes goes on without asking`,
        }),
      ))
  );
}
