import type { KubeObject } from "../cluster/objects.ts";
import { openCluster } from "../cluster/open.ts";
import type { Cluster } from "../cluster/types.ts";
import type { Context } from "../push/types.ts";
import { applyObjects } from "./apply/apply.ts";
import { diffText } from "./apply/diff.ts";
import { startAfresh } from "./fresh-start.ts";
import { installedStorage, keepStorage, readInstalled, type Installed } from "./installed.ts";
import { addonNamespace, defaultNamespace, pullAddressOf } from "./names.ts";
import { isProved, recordProof } from "./proof-record.ts";
import { openProofAhead } from "./proof-ahead.ts";
import type { Proof } from "./prove/prove.ts";
import { render } from "./render/render.ts";
import { dryResults } from "./dry-run.ts";
import { readConfig, settingsOf } from "./settings.ts";
import { planStage, proofStage, waitStage, type Stage } from "./stages.ts";
import type { InstallOptions, InstallResult, InstallRun, PlannedObject } from "./types.ts";

/** What an installation works with. */
export interface InstallContext extends Context {
  /** Asks the user, where there is one, and throws where the answer is no. */
  confirm?: ((question: string) => Promise<void>) | undefined;
}

type Options = InstallOptions & InstallRun;

/**
 * Sets a registry up in the cluster, or upgrades it: plans, applies, waits, and proves that it takes a
 * push and that nodes pull from it. Running it again after any failure goes on where that one ended.
 *
 * @throws KpushError `USAGE`, `INSTALL_*`, `ROLLOUT_FAILED`, `TIMEOUT`, `REGISTRY_*`,
 *   `NODE_PULL_FAILED`, `KUBECONFIG_*`, `CLUSTER_*`; when `context.signal` is aborted, its reason
 */
export async function install(options: Options, context: InstallContext): Promise<InstallResult> {
  const { surroundings, report, signal } = context;
  const config = await readConfig(options, surroundings.cwd);
  const first = settingsOf(options, config);
  using cluster = await openCluster(options, surroundings, report, signal);
  const namespace = options.replaceAddon ? (options.namespace ?? addonNamespace) : first.namespace;
  const where = `namespace ${namespace} in context ${cluster.context}`;
  report({ type: "step", label: "cluster", text: where });
  if (options.replaceAddon) {
    const { replaceAddon } = await import("./addon/replace.ts");
    return await replaceAddon(cluster, options, config, context);
  }
  if (options.dryRun === "client") {
    const objects = dryResults(render(first), "client", report);
    return { ...resultOf(cluster, first, objects, undefined), dryRun: "client" };
  }
  report({ type: "phase", text: "comparing with what is installed" });
  const { stage, installed } = await prepare(cluster, options, config, context);
  warnOfMove(options, installed, context);
  return await carryOut(stage, options, installed);
}

/** Fills in from what is installed what the options leave out. */
async function prepare(
  cluster: Cluster,
  options: Options,
  config: string | undefined,
  context: Context,
): Promise<{ stage: Stage; installed: Installed }> {
  const { namespace = defaultNamespace } = options;
  const installed = await readInstalled(cluster, namespace, context.signal);
  const settings = settingsOf(keepStorage(options, installed), config);
  return { stage: { cluster, settings, run: options, context }, installed };
}

async function carryOut(
  stage: Stage,
  options: Options,
  installed: Installed,
): Promise<InstallResult> {
  const { cluster, context } = stage;
  const { report, signal } = context;
  const { planned, settings } = await planStage(stage, installed);
  if (options.dryRun === "server") {
    const objects = dryResults(planned, "server", report);
    return { ...resultOf(cluster, settings, objects, undefined), dryRun: "server" };
  }
  const chosen: Stage = { ...stage, settings };
  const objects = await applyObjects(cluster, planned, options, context);
  await startAfresh(cluster, planned, installed, context);
  if (options.wait === false) return resultOf(cluster, settings, objects, undefined);
  const stands = planned.every(isKept) && isProved(installed) && options.verifyNodes === undefined;
  if (stands || options.verify === false) {
    await waitStage(chosen);
    const text = "stands: nothing has changed since it was made";
    if (stands) report({ type: "step", label: "proof", text });
    return resultOf(cluster, settings, objects, undefined);
  }
  const proof = await waitAndProve(chosen, options);
  if (options.verifyNodes === undefined) {
    const now = await readInstalled(cluster, settings.namespace, signal);
    await recordProof(cluster, now, signal);
  }
  return resultOf(cluster, settings, objects, proof);
}

/** @throws KpushError of the wait, or of the proof */
async function waitAndProve(stage: Stage, options: Options): Promise<Proof> {
  const ahead = openProofAhead(stage, options);
  try {
    await waitStage(stage, ahead.start);
  } catch (error) {
    await ahead.stop();
    throw error;
  }
  return (await ahead.outcome()) ?? (await proofStage(stage, options));
}

const isKept = ({ action }: PlannedObject): boolean => action === "keep" || action === "skip";

/** @param proof - undefined where none was made in this run */
export function resultOf(
  { context }: Cluster,
  settings: Stage["settings"],
  objects: InstallResult["objects"],
  proof: Proof | undefined,
): InstallResult {
  return {
    context,
    namespace: settings.namespace,
    pullAddress: pullAddressOf(settings),
    objects,
    provedNodes: proof?.nodes,
    provedDigest: proof?.digest,
  };
}

/** Whoever names another storage gets it; but the images do not move with it. */
function warnOfMove(options: Options, installed: Installed, { report }: Context): void {
  const { storage: before } = installedStorage(installed);
  const { storage: wanted } = options;
  const isOther = wanted !== undefined && before !== undefined && wanted !== before;
  if (isOther && installed.deployment) {
    const left = before === "emptydir" ? "are lost" : "stay there, and are not in the new one";
    report({
      type: "warning",
      message: `the storage changes from ${before} to ${wanted}: images that were pushed so far ${left}`,
    });
  }
  if ((wanted ?? before) === "emptydir" && !isOther && !installed.deployment)
    report({
      type: "warning",
      message: "an emptyDir keeps its images as long as the pod is on its node, and no longer",
      hint: "push them again when it has moved, or use --storage pvc",
    });
}

/** The objects that the options come to, as `-o` prints them; asks no cluster. */
export async function renderInstall(
  options: InstallOptions,
  { surroundings }: Pick<Context, "surroundings">,
): Promise<KubeObject[]> {
  return render(settingsOf(options, await readConfig(options, surroundings.cwd)));
}

/** What would change, as lines marked `-` and `+`; changes nothing. `""` where nothing would. */
export async function diffInstall(options: Options, context: Context): Promise<string> {
  const { surroundings, report, signal } = context;
  const config = await readConfig(options, surroundings.cwd);
  settingsOf(options, config); // what is wrong with them is told before any cluster is asked
  using cluster = await openCluster(options, surroundings, report, signal);
  const { stage, installed } = await prepare(cluster, options, config, context);
  const { planned } = await planStage(stage, installed);
  return diffText(planned);
}
