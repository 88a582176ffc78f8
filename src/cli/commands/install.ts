import type { Command, CommandResult, Invocation, Scene } from "../command.ts";
import { consent } from "../confirm.ts";
import { accessOptions, commonOptions } from "../options.ts";
import { accessSettings, patienceOf } from "../settings.ts";

/** `kpush install`. */
export const installCommand: Command = {
  name: "install",
  usage: ["kpush install [OPTION]..."],
  summary: "set up a registry that every node can pull from, or upgrade it",
  description: [
    "Installs a registry and, on each node, a proxy that makes it localhost:5000 there; waits until both are ready; and proves it by a push and by a pull on every node. Prints the address that nodes pull by.",
    "Each run says everything, as kubectl apply does: an option left out has its default again. Only the storage, its size and the registry's user stay what they are unless given.",
  ],
  examples: [
    ["kpush install", "into namespace kpush-system of the current context"],
    ["kpush install --size 50Gi --allow-push group:developers", "more room; and who may push"],
    ["kpush install -o yaml > registry.yaml", "for Argo CD, Flux or kubectl"],
  ],
  options: [
    ...accessOptions,
    "image",
    "image-pull-secret",
    "config",
    "run-as-user",
    "storage",
    "size",
    "storage-class",
    "node-access",
    "node-port",
    "proxy-image",
    "toleration",
    "node-selector",
    "priority-class",
    "node-push",
    "allow-from",
    "allow-push",
    "dry-run",
    "output",
    "diff",
    "list-images",
    "wait",
    "timeout",
    "no-verify",
    "verify-nodes",
    "force-conflicts",
    "take-ownership",
    "replace-addon",
    "yes",
    ...commonOptions,
  ],
  variables: ["context", "namespace"],
  help: {
    namespace: "install here; kpush-system unless given",
    timeout: "of the wait and of the proof; 5m unless given",
  },
  labels: ["unchanged"],
  async run(invocation, scene) {
    const { output, listImages, diff } = invocation.settings.install;
    if (output !== undefined || listImages) return print(invocation, scene);
    const options = optionsOf(invocation);
    const use = await import("../../install/install.ts");
    if (diff) return only(await use.diffInstall(options, scene.context));
    const { settings } = invocation;
    const { io, context } = scene;
    const confirm = consent("kpush install --replace-addon", settings.yes, io, context.signal);
    const install = await use.install(options, { ...context, confirm });
    return { text: `${install.pullAddress}\n`, document: { install } };
  },
};

/** What `-o` and `--list-images` show; no cluster is asked. */
async function print(invocation: Invocation, { context }: Scene): Promise<CommandResult> {
  const { renderInstall } = await import("../../install/install.ts");
  const { imagesText, jsonText, yamlText } = await import("../../output/manifests.ts");
  const objects = await renderInstall(optionsOf(invocation), context);
  const { listImages, output } = invocation.settings.install;
  if (listImages) return only(imagesText(objects));
  return only(output === "json" ? jsonText(objects) : yamlText(objects));
}

function optionsOf({ settings, given }: Invocation) {
  const timeout = patienceOf(settings, given);
  return { ...accessSettings(settings), ...settings.install, timeout };
}

function only(text: string): CommandResult {
  return { text, document: {} };
}
