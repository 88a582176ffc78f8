import { KpushError } from "../../errors.ts";
import type { Command } from "../command.ts";
import { confirmOn, declined } from "../confirm.ts";
import { clusterOptions } from "../options.ts";
import { clusterSettings } from "../settings.ts";

/** `kpush demo`. */
export const demoCommand: Command = {
  name: "demo",
  usage: ["kpush demo [OPTION]..."],
  summary: "see a push from end to end, without Docker and without a cluster",
  description: [
    "Starts a Kubernetes API server and a registry inside this process, makes a small image, pushes it as kpush would push yours, and fetches it back. Needs no Docker, no cluster and no rights, and leaves nothing.",
  ],
  examples: [
    ["kpush demo", "takes some seconds"],
    ["kpush demo --cluster", "the same on your cluster; asks first, and cleans up"],
  ],
  options: ["cluster", "yes", ...clusterOptions, "verbose", "no-color", "help"],
  narrates: true,
  async run({ settings, given }, { io, context }) {
    const write = (line: string) => void io.stdout.write(`${line}\n`);
    if (!settings.cluster) {
      for (const option of [...clusterOptions, "yes"] as const) {
        if (given.get(option)) throw needsCluster(option);
      }
      const { runDemo } = await import("../../demo/demo.ts");
      await runDemo({ ...context, write });
      return [];
    }
    const { runClusterDemo } = await import("../../demo/cluster-demo.ts");
    const agreed = await runClusterDemo(clusterSettings(settings), {
      ...context,
      write,
      confirm: confirmOn(io, context.signal),
      yes: settings.yes,
    });
    if (!agreed) throw declined();
    return [];
  },
};

/** Without `--cluster` nothing is asked of the cluster that such an option names. */
function needsCluster(option: string): KpushError {
  return new KpushError("USAGE", `--${option} says nothing to kpush demo without --cluster`, {
    hint: "add --cluster, to run the demo on a cluster",
  });
}
