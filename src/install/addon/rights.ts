import { pathOf, refOf, titleOf, type KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import { isForbidden } from "../apply/refusals.ts";
import type { PlannedObject } from "../types.ts";

/**
 * Tries what is to be done to the old objects by dry runs: who may not do all of it should hear so before
 * the first of them is touched.
 *
 * @param planned - to be changed or removed
 * @throws KpushError `CLUSTER_FORBIDDEN` that names all that is forbidden
 */
export async function checkRights(
  cluster: Cluster,
  planned: readonly PlannedObject[],
  workload: KubeObject | undefined,
  signal: AbortSignal,
): Promise<void> {
  const changed = planned.filter(({ action }) => action === "change").map(({ object }) => object);
  const removed = planned.filter(({ action }) => action === "remove").map(({ object }) => object);
  const answers = await Promise.all([
    ...[...changed, ...(workload ? [workload] : [])].map((one) => tryPatch(cluster, one, signal)),
    ...removed.map((one) => tryDelete(cluster, one, signal)),
  ]);
  const forbidden = answers.filter((text) => text !== undefined);
  if (forbidden.length === 0) return;
  const where = plain(cluster.context, 200);
  throw new KpushError(
    "CLUSTER_FORBIDDEN",
    `you may not ${forbidden.join(", ")} in context ${where}; nothing was changed`,
    { hint: "an administrator can run it in your place" },
  );
}

async function tryPatch(cluster: Cluster, object: KubeObject, signal: AbortSignal) {
  const answer = await cluster.request("PATCH", `${pathOf(refOf(object))}?dryRun=All`, {
    ...{ body: {}, contentType: "application/merge-patch+json", signal },
  });
  return isForbidden(answer) ? `patch ${titleOf(refOf(object))}` : undefined;
}

async function tryDelete(cluster: Cluster, object: KubeObject, signal: AbortSignal) {
  const answer = await cluster.request("DELETE", `${pathOf(refOf(object))}?dryRun=All`, { signal });
  return isForbidden(answer) ? `delete ${titleOf(refOf(object))}` : undefined;
}
