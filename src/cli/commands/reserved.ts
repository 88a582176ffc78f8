import { KpushError } from "../../errors.ts";
import type { Command } from "../command.ts";

/** Words that later versions need, and what helps today; `kpush push WORD` pushes an image called so. */
const words: Record<string, readonly [what: string, today: string]> = {
  doctor: ["kpush has no doctor yet", "kpush status tells what is wrong with a registry"],
  gc: [
    "kpush cannot collect a registry's garbage yet",
    "docs/old-registry.md tells how to run the registry's own garbage-collect",
  ],
};

/** One command for each such word; it ends with a usage error that says what is true today. */
export const reservedCommands: readonly Command[] = Object.entries(words).map(
  ([name, [what, today]]) => ({
    name,
    usage: [],
    summary: "",
    description: [],
    examples: [],
    options: [],
    reserved: true,
    run: () =>
      Promise.reject(
        new KpushError("USAGE", `${what}; the word ${name} is kept for it`, {
          hint: `${today}; kpush push ${name} pushes an image of this name`,
        }),
      ),
  }),
);
