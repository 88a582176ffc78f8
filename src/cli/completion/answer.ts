import type { Surroundings } from "../../cluster/types.ts";
import { commands } from "../commands/all.ts";
import { pushCommand } from "../commands/push.ts";
import { candidatesFor, type Ask } from "./candidates.ts";

/** Milliseconds that a cluster or an engine has; somebody is waiting for the Tab key. */
const patience = 1500;

/** cobra's directives, which kubectl and docker read from their plugins. */
const directives = { noSpace: 2, noFiles: 4 };

/**
 * Answers a shell: each candidate on a line, with a tab and what it means where that is known, and at the
 * end `:` and a sum, 2 for no space after it and 4 for no files. That is cobra's protocol, so that the same
 * answer does for kubectl and docker. Never fails, and never takes longer than engine or cluster may.
 *
 * @param words - what follows `kpush`, the last being the one to complete, perhaps empty
 */
export async function answer(
  words: readonly string[],
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<string> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const late = new Promise<readonly string[]>((resolve) =>
    limit.addEventListener("abort", () => resolve([])),
  );
  const ask: Ask = async (kind, options) => {
    const { knownNames } = await import("../../push/known-names.ts");
    const names = knownNames(kind, options, surroundings, limit).catch((): string[] => []);
    return Promise.race([names, late]);
  };
  const { all, files } = await candidatesFor(
    words,
    { commands, main: pushCommand },
    surroundings,
    ask,
  );
  const open = all.length > 0 && all.every(({ value }) => /[:/]$/.test(value));
  const directive = (open ? directives.noSpace : 0) + (files ? 0 : directives.noFiles);
  const lines = all.map(({ value, about }) => (about === undefined ? value : `${value}\t${about}`));
  return [...lines, `:${directive}`, ""].join("\n");
}
