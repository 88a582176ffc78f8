import { plain } from "../../image/text.ts";
import type { UninstallResult } from "../../results.ts";
import type { Command } from "../command.ts";
import { consent } from "../confirm.ts";
import { accessOptions, commonOptions } from "../options.ts";
import { accessSettings, patienceOf } from "../settings.ts";

/** `kpush uninstall`. */
export const uninstallCommand: Command = {
  name: "uninstall",
  usage: ["kpush uninstall [OPTION]..."],
  summary: "remove what kpush install made; images stay unless told otherwise",
  description: [
    "Removes the registry and the node proxies. The claim with the images stays, and the next kpush install takes it again; --delete-data deletes it too. What kpush did not make is not touched.",
  ],
  examples: [
    ["kpush uninstall --dry-run", "what would be removed, and what kept"],
    ["kpush uninstall --delete-data", "all of it, with the images; asks first"],
  ],
  options: [...accessOptions, "delete-data", "dry-run", "timeout", "yes", ...commonOptions],
  variables: ["context", "namespace"],
  help: {
    namespace: "of the registry; kpush-system unless given",
    "dry-run": "change nothing, and say what would be removed",
  },
  labels: ["unchanged"],
  async run({ settings, given }, { io, context }) {
    const { uninstall } = await import("../../install/uninstall.ts");
    const { deleteData, dryRun } = settings.install;
    const timeout = patienceOf(settings, given);
    const options = { ...accessSettings(settings), deleteData, timeout };
    if (deleteData && !dryRun && !settings.yes) {
      // Asked only about what is there, and of the cluster that it is in.
      const report = () => undefined;
      const plan = await uninstall({ ...options, dryRun: true }, { ...context, report });
      const ask = consent("kpush uninstall --delete-data", false, io, context.signal);
      if (removesData(plan)) await ask(question(plan));
    }
    const result = await uninstall({ ...options, dryRun: dryRun !== undefined }, context);
    return { text: "", document: { uninstall: result } };
  },
};

function removesData({ objects }: UninstallResult): boolean {
  return objects.some(
    ({ kind, action }) => kind === "PersistentVolumeClaim" && action === "removed",
  );
}

function question({ context, namespace }: UninstallResult): string {
  const where = `${plain(namespace)} of context ${plain(context, 200)}`;
  return `Remove the registry in ${where}, with all images in it?`;
}
