import { KpushError } from "../../errors.ts";
import type { Command } from "../command.ts";

/** Words that later versions need, and what helps today; `kpush push WORD` pushes an image called so. */
const words: Record<string, readonly [what: string, today: string]> = {
  install: [
    "kpush cannot install a registry yet",
    "docs/old-registry.md has manifests to apply with kubectl",
  ],
  uninstall: [
    "kpush cannot uninstall a registry yet",
    "kubectl delete -f the manifests that it was installed from",
  ],
  status: [
    "kpush cannot tell a registry's status yet",
    "kpush tunnel -v shows which registry is found, and whether it can be reached",
  ],
  doctor: ["kpush has no doctor yet", "kpush -v IMAGE shows what is looked for, chosen and asked"],
  gc: [
    "kpush cannot collect a registry's garbage yet",
    "docs/old-registry.md tells how to run the registry's own garbage-collect",
  ],
  completion: ["kpush has no shell completion yet", "kpush --help lists commands and options"],
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
