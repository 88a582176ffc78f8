import type { Cluster } from "../../cluster/types.ts";
import { plain } from "../../image/text.ts";
import type { InstallResult, ObjectResult } from "../../results.ts";
import { applyObjects } from "../apply/apply.ts";
import { dryResults } from "../dry-run.ts";
import { resultOf, type InstallContext } from "../install.ts";
import { readInstalled } from "../installed.ts";
import { addonNamespace } from "../names.ts";
import { recordProof } from "../proof-record.ts";
import { waitForRollout } from "../rollout/wait.ts";
import { settingsOf } from "../settings.ts";
import { planStage, proofStage, type Stage } from "../stages.ts";
import type { InstallOptions, InstallRun } from "../types.ts";
import { askOldRegistry } from "./ask-old.ts";
import { checkAddon, checkOptions } from "./checks.ts";
import { removeProxies, removeRest, turnServices } from "./clear-away.ts";
import { findAddon } from "./find.ts";
import { optionsAfter } from "./options.ts";
import { checkRights } from "./rights.ts";
import { isRegistryPart, takeOver, timeoutOf, type Replacement } from "./take-over.ts";
import { plannedRemovals, planWords } from "./words.ts";

/**
 * Takes the old addon's place: its namespace, its claim, and its port on the nodes, so that every name
 * `localhost:5000/…` stays valid. Nothing is removed before the new registry has served an old image
 * and taken a push; until then a failure puts the old one back. Running it again after any failure, at
 * any step, finishes the work.
 *
 * @param config - content of the file that `options.config` names
 * @throws KpushError `USAGE`, `INSTALL_REFUSED` where there is no addon, or where it cannot be replaced; what
 *   `context.confirm` and what an installation throws
 */
export async function replaceAddon(
  cluster: Cluster,
  options: InstallOptions & InstallRun,
  config: string | undefined,
  context: InstallContext,
): Promise<InstallResult> {
  checkOptions(options);
  const replacement = await prepare(cluster, options, config, context);
  const { addon, planned, settings, evidence } = replacement;
  const words = planWords(addon, settings, evidence);
  for (const text of words) context.report({ type: "step", label: "plan", text });
  if (addon.store?.kind === "passing") warnOfLoss(replacement);
  if (options.dryRun !== undefined) {
    const objects = dryResults([...planned, ...plannedRemovals(addon)], "server", context.report);
    return { ...resultOf(cluster, settings, objects, undefined), dryRun: options.dryRun };
  }
  if (words.length === 0) {
    const text = "replaced already: what is left is an installation like any other";
    context.report({ type: "step", label: "addon", text });
  } else {
    const where = `${addon.namespace} of context ${plain(cluster.context, 200)}`;
    await context.confirm?.(`Replace the old registry in ${where}?`);
  }
  const taken = await takeOver(replacement);
  return await finish({ ...replacement, settings: taken.settings }, taken.objects);
}

async function prepare(
  cluster: Cluster,
  options: InstallOptions & InstallRun,
  config: string | undefined,
  context: InstallContext,
): Promise<Replacement> {
  const { report, signal } = context;
  const { namespace = addonNamespace } = options;
  report({ type: "phase", text: `looking for the old addon in ${namespace}` });
  const [addon, installed] = await Promise.all([
    findAddon(cluster, namespace, signal),
    readInstalled(cluster, namespace, signal),
  ]);
  checkAddon(addon, installed, options);
  const wanted = optionsAfter(addon, installed, options);
  const first: Stage = {
    ...{ cluster, run: { ...options, replaceAddon: true }, context },
    settings: settingsOf(wanted, config),
  };
  const [stage, evidence] = await Promise.all([
    planStage(first, installed),
    askOldRegistry(cluster, addon, context),
    checkRights(cluster, plannedRemovals(addon), addon.workload, signal),
  ]);
  // Whether a user was asked for decides about another; what is installed is not what was asked for.
  const given = { ...wanted, runAsUser: options.runAsUser };
  return { ...first, ...stage, options: given, addon, installed, evidence };
}

function warnOfLoss({ addon, context }: Replacement): void {
  context.report({
    type: "warning",
    message: `the old registry keeps its images ${addon.store?.kind === "passing" ? addon.store.words : ""}: they cannot be taken along, and are lost`,
    hint: "push them again afterwards",
  });
}

/** From here on there is no way back, and a next run goes on where this one ends. */
async function finish(replacement: Replacement, taken: ObjectResult[]): Promise<InstallResult> {
  const { cluster, settings, planned, options, context } = replacement;
  const { namespace } = settings;
  const { report, signal } = context;
  try {
    const services = await turnServices(replacement);
    const proxies = await removeProxies(replacement);
    const rest = planned.filter((one) => !isRegistryPart(one));
    const applied = await applyObjects(cluster, rest, options, context);
    const patience = { ...context, timeout: timeoutOf(replacement) };
    await waitForRollout(cluster, { namespace, proxies: true }, patience);
    const proof = options.verify === false ? undefined : await proofStage(replacement, options);
    const removed = await removeRest(replacement);
    if (proof && options.verifyNodes === undefined)
      await recordProof(cluster, await readInstalled(cluster, namespace, signal), signal);
    const objects = [...taken, ...services, ...proxies, ...applied, ...removed];
    return resultOf(cluster, settings, objects, proof);
  } catch (error) {
    report({
      type: "warning",
      message:
        "the new registry has the old images and serves them, but the replacement is not finished",
      hint: `kpush install --replace-addon -n ${namespace} goes on from here`,
    });
    throw error;
  }
}
