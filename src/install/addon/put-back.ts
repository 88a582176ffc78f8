import { deleteObject } from "../../cluster/object-writes.ts";
import { refOf, titleOf, type KubeObject } from "../../cluster/objects.ts";
import { openCluster } from "../../cluster/open.ts";
import type { Cluster } from "../../cluster/types.ts";
import { messageOf } from "../../errors.ts";
import type { Context } from "../../push/types.ts";
import { untilGone } from "../apply/gone.ts";
import { names } from "../names.ts";
import type { InstallOptions, PlannedObject } from "../types.ts";
import type { Addon } from "./find.ts";
import { scaleAndNote } from "./memory.ts";

/** Milliseconds that it may take in all, and the new registry's pod to go. */
const usual = { limit: 60_000, going: 30_000 };

/**
 * Takes the new registry away again and scales the old one up. Never throws, and does so on a cluster
 * of its own: the caller's may be closed by an interruption. What it cannot do it tells.
 *
 * @param planned - of these it removes what was not there before
 */
export async function putBack(
  options: InstallOptions,
  { workload, memory, store }: Addon & { workload: KubeObject },
  planned: readonly PlannedObject[],
  { report, surroundings }: Context,
): Promise<void> {
  const title = titleOf(refOf(workload));
  const { namespace = "", name } = workload.metadata;
  report({ type: "phase", text: `putting ${title} back` });
  const signal = AbortSignal.timeout(usual.limit);
  try {
    using cluster = await openCluster(options, surroundings, () => undefined, signal);
    await removeRegistry(cluster, namespace, signal);
    const replicas = store?.kind === "passing" ? undefined : memory.replicas;
    await scaleAndNote(cluster, workload, replicas, undefined, signal);
    await removeRest(cluster, planned, signal);
    const message = `${title} is as it was before; nothing of the old addon was removed`;
    report({ type: "warning", message });
  } catch (error) {
    report({
      type: "warning",
      message: `${title} could not be put back: ${messageOf(error)}`,
      hint: `kubectl delete deployment -n ${namespace} ${names.registry}; kubectl scale -n ${namespace} --replicas=${memory.replicas || 1} ${workload.kind.toLowerCase()}/${name}; or run kpush install --replace-addon again`,
    });
  }
}

/** Its pod has the claim; but the old one is better up beside it than not at all. */
async function removeRegistry(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  const ref = { apiVersion: "apps/v1", kind: "Deployment", namespace, name: names.registry };
  if (!(await deleteObject(cluster, ref, { foreground: true, signal }))) return;
  const enough = AbortSignal.any([signal, AbortSignal.timeout(usual.going)]);
  await untilGone(cluster, ref, undefined, enough).catch(() => signal.throwIfAborted());
}

async function removeRest(
  cluster: Cluster,
  planned: readonly PlannedObject[],
  signal: AbortSignal,
): Promise<void> {
  const made = planned.filter(({ action, object }) => action === "create" && holdsNothing(object));
  await Promise.all(made.map(({ object }) => deleteObject(cluster, refOf(object), { signal })));
}

const holdsNothing = ({ kind }: KubeObject): boolean =>
  kind !== "PersistentVolumeClaim" && kind !== "Namespace";
