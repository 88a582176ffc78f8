import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { Command } from "../command.ts";

const shells = ["bash", "zsh", "fish"] as const;

/** `kpush completion`. */
export const completionCommand: Command = {
  name: "completion",
  usage: ["kpush completion bash|zsh|fish", "kpush completion --install [bash|zsh|fish]"],
  summary: "print or install what completes kpush's words in your shell",
  description: [
    "Prints a script for the shell that completes commands, options, contexts, namespaces and the engine's images. With --install it is written to where the shell looks for it; no file of yours is changed.",
  ],
  examples: [
    ["kpush completion --install", "for the shell that SHELL names"],
    ["source <(kpush completion bash)", "in this shell only"],
  ],
  options: ["install", "no-color", "help"],
  words: shells,
  async run({ words, given }, { context }) {
    const install = given.get("install") === true;
    const [word] = words;
    const named = word ?? (install ? shellOf(context.surroundings.env["SHELL"]) : undefined);
    const shell = shells.find((one) => one === named);
    if (shell === undefined || words.length > 1) throw whichShell(named, words.length);
    if (install) {
      const { installScript } = await import("../completion/install.ts");
      return { text: await installScript(shell, context.surroundings), document: {} };
    }
    const { scripts } = await import("../completion/scripts.ts");
    return { text: scripts[shell], document: {} };
  },
};

/** `zsh` of `/usr/bin/zsh`. */
function shellOf(path: string | undefined): string | undefined {
  return path?.split("/").at(-1);
}

function whichShell(named: string | undefined, words: number): KpushError {
  const what =
    words > 1
      ? "one shell at a time"
      : named
        ? `there is no completion for the shell ${plain(named, 100)}`
        : "no shell is named";
  return new KpushError("USAGE", what, { hint: "name one: kpush completion bash, zsh or fish" });
}
