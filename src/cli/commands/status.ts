import { KpushError } from "../../errors.ts";
import { count } from "../../output/format.ts";
import type { Command } from "../command.ts";
import { accessOptions, commonOptions } from "../options.ts";
import { accessSettings } from "../settings.ts";

/** `kpush status`. */
export const statusCommand: Command = {
  name: "status",
  usage: ["kpush status [OPTION]..."],
  summary: "tell whether the registry and its node proxies are well",
  description: [
    "Shows the registry that kpush install made: its pod and image, the space it uses, the proxies on the nodes, the address nodes pull by, and who may push. Ends with 5 when something is wrong.",
  ],
  examples: [
    ["kpush status", "of the current context"],
    ["kpush status --json | jq .status.storage", "for scripts"],
  ],
  options: [...accessOptions, ...commonOptions],
  variables: ["context", "namespace"],
  async run({ settings }, { context }) {
    const { status } = await import("../../install/status/status.ts");
    const { statusText } = await import("../../output/status.ts");
    const result = await status(accessSettings(settings), context);
    const text = statusText(result, { verbose: settings.verbose });
    return {
      text,
      document: { status: result },
      ...(!result.healthy && { error: notHealthy(result.problems.length) }),
    };
  },
};

function notHealthy(problems: number): KpushError {
  const what = problems === 0 ? "" : `: ${count(problems, "problem")}, as listed`;
  return new KpushError("NOT_HEALTHY", `the registry is not healthy${what}`, {
    hint: "kpush status -v shows each node; kpush install repairs what was changed",
  });
}
