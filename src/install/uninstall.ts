import { deleteObject } from "../cluster/object-writes.ts";
import { listObjects, refOf, type KubeObject } from "../cluster/objects.ts";
import { openCluster } from "../cluster/open.ts";
import type { Cluster, ClusterOptions } from "../cluster/types.ts";
import { KpushError } from "../errors.ts";
import type { Report } from "../events.ts";
import { plain } from "../image/text.ts";
import type { Context } from "../push/types.ts";
import type { ObjectResult, UninstallResult } from "../results.ts";
import { untilGone, type Polling } from "./apply/gone.ts";
import { isGoing } from "./apply/ownership.ts";
import { objectResult } from "./apply/results.ts";
import { defaultNamespace, names, ownSelector } from "./names.ts";
import { findInstallation } from "./removal/found.ts";
import { inhabitantsOf } from "./removal/inhabitants.ts";
import { planRemoval } from "./removal/plan.ts";

export interface UninstallOptions extends ClusterOptions {
  /** `kpush-system` unless given. */
  namespace?: string | undefined;
  /** Deletes the claim, and with it all images. */
  deleteData?: boolean | undefined;
  /** Says what would be removed and kept, and changes nothing. */
  dryRun?: boolean | undefined;
  /** Waits until it is gone, the pods too; true unless given. */
  wait?: boolean | undefined;
  /** Bound of the whole in milliseconds; 5 minutes unless given. */
  timeout?: number | undefined;
}

/**
 * Removes what kpush made, and nothing else: what has its name and another maker's label stays. The
 * claim stays unless `deleteData`; the namespace goes only where kpush made it, no data stays in it, and
 * nothing else is in it. Doing it again removes what is left, and is no error where nothing is.
 *
 * The Secret always goes: it only signs uploads under way, and none outlives the registry.
 *
 * @throws KpushError `CLUSTER_*`, `TIMEOUT`
 */
export async function uninstall(
  options: UninstallOptions,
  { surroundings, report, signal }: Context,
  polling: Polling = {},
): Promise<UninstallResult> {
  const { namespace = defaultNamespace, timeout = 300_000 } = options;
  using cluster = await openCluster(options, surroundings, report, signal);
  const limit = AbortSignal.timeout(timeout);
  const either = AbortSignal.any([signal, limit]);
  const where = `namespace ${namespace} in context ${plain(cluster.context, 200)}`;
  report({ type: "step", label: "cluster", text: where });
  try {
    const objects = await removeAll(cluster, { ...options, namespace }, either, report, polling);
    if (options.dryRun) report({ type: "step", label: "dry run", text: "nothing was changed" });
    if (options.namespace === undefined && objects.every(({ action }) => action === "absent"))
      await lookInKubeSystem(cluster, report, either);
    const { context } = cluster;
    return { context, namespace, objects, ...(options.dryRun && { dryRun: true }) };
  } catch (error) {
    throw limit.aborted && !signal.aborted ? timedOut(timeout, namespace) : error;
  }
}

type Removing = UninstallOptions & { namespace: string };

async function removeAll(
  cluster: Cluster,
  options: Removing,
  signal: AbortSignal,
  report: Report,
  polling: Polling,
): Promise<ObjectResult[]> {
  const { namespace, deleteData = false } = options;
  report({ type: "phase", text: `looking into ${namespace} of context ${plain(cluster.context)}` });
  const found = await findInstallation(cluster, namespace, report, signal);
  const removal = planRemoval(found, deleteData);
  const results: ObjectResult[] = [];
  const tell = (result: ObjectResult) => {
    results.push(result);
    report({ type: "object", ...result });
  };

  // Who may not delete the data learns it while all is still there.
  for (const claim of removal.others.filter(({ kind }) => kind === "PersistentVolumeClaim"))
    await deleteObject(cluster, refOf(claim), { dryRun: true, signal });
  const remove = remover(cluster, options, signal, polling);
  report({ type: "phase", text: "waiting until the pods are gone" });
  for (const stage of [removal.workloads, removal.others])
    (await Promise.all(stage.map(remove))).forEach(tell);
  if (results.length === 0) tell({ ...absent, namespace });
  removal.kept.forEach(tell);
  if (removal.namespace) {
    report({ type: "phase", text: `waiting until namespace ${namespace} is gone` });
    const inhabitants = await inhabitantsOf(cluster, namespace, signal);
    tell(
      inhabitants.length > 0
        ? objectResult(removal.namespace, "kept", inhabited(namespace, inhabitants))
        : await remove(removal.namespace),
    );
  }
  return results;
}

const absent = { kind: "Deployment", name: names.registry, action: "absent" } as const;

/** Deletes one object, and waits until it is gone: workloads go when their pods are gone. */
function remover(
  cluster: Cluster,
  { dryRun = false, wait = true }: UninstallOptions,
  signal: AbortSignal,
  polling: Polling,
) {
  return async (object: KubeObject): Promise<ObjectResult> => {
    const { uid } = object.metadata;
    // A namespace that is on its way already refuses to be deleted again.
    if (!dryRun && !isGoing(object))
      await deleteObject(cluster, refOf(object), { uid, foreground: true, signal });
    if (!dryRun && wait) await untilGone(cluster, refOf(object), uid, signal, polling);
    return objectResult(object, "removed");
  };
}

function inhabited(namespace: string, inhabitants: readonly string[]): string {
  const some = inhabitants.slice(0, 3).join(", ");
  const more = inhabitants.length > 3 ? ` and ${inhabitants.length - 3} more` : "";
  return `holds what kpush did not make (${some}${more}): kubectl delete namespace ${namespace} deletes all of it`;
}

/** Who installed into kube-system and forgot to say so is told. */
async function lookInKubeSystem(
  cluster: Cluster,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const kind = { apiVersion: "apps/v1", kind: "Deployment", namespace: "kube-system" };
  const query = { labelSelector: ownSelector };
  const there = await listObjects(cluster, kind, query, signal).catch(() => []);
  if (there.length === 0) return;
  report({
    type: "warning",
    message: `kpush installed nothing in ${defaultNamespace}, but a registry in kube-system`,
    hint: "kpush uninstall -n kube-system",
  });
}

function timedOut(timeout: number, namespace: string): KpushError {
  return new KpushError(
    "TIMEOUT",
    `not all was gone within ${timeout / 1000} s; what is left is being deleted`,
    { hint: `see what holds it back: kubectl get all,pvc -n ${namespace}` },
  );
}
