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

/** What a command ends with that the user answered no to. */
export const declined = (): KpushError =>
  new KpushError("DECLINED", "nothing was done, as you said no");

/**
 * The user's consent: given beforehand with `-y`, or asked for.
 *
 * @param doing - what it is about, e.g. `kpush uninstall --delete-data`
 * @returns asks a question, and goes on at a yes; throws KpushError `DECLINED` at a no, and `USAGE` where there is no
 *   terminal to ask on
 */
export function consent(
  doing: string,
  yes: boolean,
  io: Io,
  signal: AbortSignal,
): (question: string) => Promise<void> {
  return async (question) => {
    if (yes) return;
    const confirm = confirmOn(io, signal);
    if (!confirm) {
      throw new KpushError("USAGE", `${doing} asks first, and there is no terminal to ask on`, {
        hint: `${doing} --yes goes on without asking`,
      });
    }
    if (!(await confirm(question))) throw declined();
  };
}
