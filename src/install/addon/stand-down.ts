import { setTimeout as sleep } from "node:timers/promises";
import { listObjects, refOf, titleOf, type KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { mapping } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { Context } from "../../push/types.ts";
import { paceOf } from "../pace.ts";
import type { Addon } from "./find.ts";
import { scaleAndNote } from "./memory.ts";
import { isOldRegistry, selectorOf } from "./templates.ts";
import type { Evidence } from "./witness.ts";

/**
 * Notes on the old workload what a later run goes by, scales it to 0 where the new registry needs its
 * claim, and waits until its pods are gone: a volume may be for one node only, and a registry locks
 * nothing.
 *
 * @param timeout - milliseconds for the pods
 * @throws KpushError `TIMEOUT`, `CLUSTER_*`
 */
export async function standDown(
  cluster: Cluster,
  { workload, memory, store }: Addon & { workload: KubeObject },
  evidence: Evidence,
  { report, signal }: Context,
  timeout: number,
): Promise<void> {
  const isInTheWay = store?.kind !== "passing";
  const note = { ...memory, witness: evidence };
  await scaleAndNote(cluster, workload, isInTheWay ? 0 : undefined, note, signal);
  if (!isInTheWay) return;
  const began = performance.now();
  report({ type: "phase", text: `waiting until the pods of ${titleOf(refOf(workload))} are gone` });
  for (;;) {
    const left = await podsOf(cluster, workload, signal);
    const [first] = left;
    if (!first) break;
    const elapsed = performance.now() - began;
    if (elapsed >= timeout) throw lingering(first, timeout);
    await sleep(paceOf(elapsed, 1000), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  report({ type: "step", label: "addon", text: `${titleOf(refOf(workload))} stands by, at 0` });
}

async function podsOf(
  cluster: Cluster,
  workload: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const { namespace } = workload.metadata;
  const pods = { apiVersion: "v1", kind: "Pod", namespace };
  const found = await listObjects(cluster, pods, { labelSelector: selectorOf(workload) }, signal);
  return found.filter(({ metadata, spec, status }) => {
    const { phase } = mapping(status);
    const hasEnded = phase === "Succeeded" || phase === "Failed";
    return !hasEnded && isOldRegistry(metadata.labels, spec);
  });
}

function lingering({ metadata }: KubeObject, timeout: number): KpushError {
  const { namespace = "", name } = metadata;
  return new KpushError(
    "TIMEOUT",
    `the old registry's pod ${plain(name, 253)} was not gone after ${Math.round(timeout / 1000)} s`,
    { hint: `see what holds it back: kubectl describe pod -n ${namespace} ${plain(name, 253)}` },
  );
}
