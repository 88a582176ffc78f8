import { KpushError } from "../../errors.ts";
import type { ObjectResult } from "../../results.ts";
import { applyObjects } from "../apply/apply.ts";
import { planObjects } from "../apply/plan.ts";
import type { Installed } from "../installed.ts";
import { isUnwritable } from "../prove/unwritable.ts";
import { render } from "../render/render.ts";
import { waitForRollout } from "../rollout/wait.ts";
import { proofStage, sessionOf, type Stage } from "../stages.ts";
import type { InstallOptions, InstallRun, InstallSettings, PlannedObject } from "../types.ts";
import { selectsNew, type Addon } from "./find.ts";
import { putBack } from "./put-back.ts";
import { standDown } from "./stand-down.ts";
import { checkServed, findWitness, type Evidence } from "./witness.ts";
import { writeBeside } from "./write-beside.ts";

/** All that the parts of a replacement work with. */
export interface Replacement extends Stage {
  /** As the user gave them, with what the addon fills in. */
  options: InstallOptions & InstallRun;
  addon: Addon;
  installed: Installed;
  planned: readonly PlannedObject[];
  evidence: Evidence;
}

/** Milliseconds for each wait. */
export const timeoutOf = ({ run }: Pick<Stage, "run">): number => run.timeout ?? 300_000;

/** What the registry needs. The old proxies go on with it, until ours can have the nodes' port. */
export const isRegistryPart = ({ object }: PlannedObject): boolean =>
  !["DaemonSet", "NetworkPolicy"].includes(object.kind);

/**
 * Whether the new registry has proved itself in an earlier run: from then on the replacement only goes
 * forward.
 */
function isProven({ addon, installed }: Replacement): boolean {
  const isThere = installed.deployment !== undefined;
  return isThere && (installed.proxies !== undefined || addon.services.some(selectsNew));
}

/**
 * Puts the new registry in the old one's place, and proves that it serves an old image and takes a
 * push; nodes still come by the old proxies. What fails before that is proved, or is interrupted, is put
 * back.
 *
 * @returns what became of the objects, and the settings it runs with: another user, where the first
 *   could not write
 */
export async function takeOver(
  replacement: Replacement,
): Promise<{ objects: ObjectResult[]; settings: InstallSettings }> {
  const { addon, settings, planned, options, context } = replacement;
  const { workload } = addon;
  // It was the last to go.
  if (!workload) return { objects: await applyRegistry(replacement), settings };
  try {
    await bringDown(replacement, { ...addon, workload });
    const objects = await applyRegistry(replacement);
    return { objects, settings: await proveOnce(replacement) };
  } catch (error) {
    if (!isProven(replacement)) await putBack(options, { ...addon, workload }, planned, context);
    throw error;
  }
}

function applyRegistry(replacement: Replacement): Promise<ObjectResult[]> {
  const { cluster, planned, options, context } = replacement;
  return applyObjects(cluster, planned.filter(isRegistryPart), options, context);
}

function bringDown(
  replacement: Replacement,
  addon: Parameters<typeof standDown>[1],
): Promise<void> {
  const { cluster, context, evidence } = replacement;
  return standDown(cluster, addon, evidence, context, timeoutOf(replacement));
}

/** Proves it as the user that was tried first, else as the old registry ran. */
async function proveOnce(replacement: Replacement): Promise<InstallSettings> {
  const { cluster, settings, options, addon, context } = replacement;
  try {
    await prove(replacement);
    return settings;
  } catch (error) {
    const { signal } = context;
    const isFixed = options.runAsUser !== undefined || settings.runAsUser === addon.user;
    if (signal.aborted || isFixed || !addon.workload || !maybeRights(error)) throw error;
    const changed: InstallSettings = { ...settings, runAsUser: addon.user };
    tellOfUser(replacement, isUnwritable(error));
    const again = await planObjects(cluster, render(changed), options, signal);
    const parts = again.filter((one) => isRegistryPart(one) && one.action !== "keep");
    await applyObjects(cluster, parts, options, context);
    await prove({ ...replacement, settings: changed });
    return changed;
  }
}

function tellOfUser({ settings, addon, context }: Replacement, isDenied: boolean): void {
  const { namespace, runAsUser: user } = settings;
  const may = isDenied ? "may not write to the volume" : "does not find the old images";
  const other = addon.user === 0 ? "root" : `user ${addon.user}`;
  context.report({
    type: "warning",
    message: `as user ${user} the registry ${may}: it runs as ${other}, as the old one did`,
    hint: `give the volume's files to ${user}:${user}, then: kpush install -n ${namespace} --run-as-user ${user}`,
  });
}

/** What another user could read or write, maybe. */
const maybeRights = (error: unknown): boolean =>
  isUnwritable(error) ||
  (error instanceof KpushError && ["VERIFY_FAILED", "REGISTRY_UNHEALTHY"].includes(error.code));

async function prove(replacement: Replacement): Promise<void> {
  const { cluster, settings, context, options } = replacement;
  const { namespace } = settings;
  const patience = { ...context, timeout: timeoutOf(replacement) };
  await waitForRollout(cluster, { namespace, proxies: false }, patience);
  if (!isProven(replacement)) await proveOldImages(replacement);
  await proofStage({ ...replacement, settings: { ...settings, nodeAccess: "none" } }, options);
}

/** It serves an old image, and takes a push into its repository. */
async function proveOldImages({
  cluster,
  settings,
  context,
  evidence,
  addon,
}: Replacement): Promise<void> {
  if (!addon.workload || evidence === "none") return;
  await using session = await sessionOf(cluster, settings, context);
  const { registry } = session;
  const witness = evidence === "unknown" ? await findWitness(registry) : evidence;
  if (!witness) throw nothingThere();
  await checkServed(registry, witness);
  await writeBeside(registry, witness.repository);
  const { repository, tag } = witness;
  context.report({ type: "step", label: "images", text: `serves ${repository}:${tag} as before` });
}

function nothingThere(): KpushError {
  return new KpushError(
    "VERIFY_FAILED",
    "the new registry finds no image on the claim, and the old one did not run to say whether there are any",
    { hint: "scale the old one up and run it again; or delete it yourself, if it was empty" },
  );
}
