import { refOf, titleOf, type KubeObject } from "../../cluster/objects.ts";
import {
  applyObject,
  createObject,
  deleteObject,
  patchObject,
} from "../../cluster/object-writes.ts";
import type { ApiAnswer, Cluster } from "../../cluster/types.ts";
import type { Report } from "../../events.ts";
import type { InstallRun, ObjectResult, PlannedObject } from "../types.ts";
import { conflictError, isConflict } from "./conflicts.ts";
import { untilGone, type Polling } from "./gone.ts";
import { explainForbiddenInstall } from "./permissions.ts";
import { isForbidden, refusedError } from "./refusals.ts";
import { resultOf } from "./results.ts";
import { strategyPatch } from "./settle.ts";

interface ApplyContext {
  report: Report;
  signal: AbortSignal;
}

/**
 * What must be there before the next may come: the registry takes its settings from what is there when
 * it starts, and a binding is checked against its Role. Within a stage the order does not matter.
 */
function stageOf({ object, action }: PlannedObject): number {
  if (action === "remove") return 3;
  if (object.kind === "Namespace") return 0;
  return ["DaemonSet", "Deployment", "RoleBinding"].includes(object.kind) ? 2 : 1;
}

/**
 * Makes the cluster what was planned, with requests only for what changes, and reports an `object` for
 * each in the order of the plan's stages. Objects that do not depend on each other go at once: far away
 * a stage costs one round trip. Whatever ends it in the middle, doing all again finishes the work.
 *
 * @returns in the order of the events
 * @throws KpushError `INSTALL_CONFLICT`, `INSTALL_REFUSED`, `CLUSTER_FORBIDDEN`, `CLUSTER_FAILED`
 */
export async function applyObjects(
  cluster: Cluster,
  planned: readonly PlannedObject[],
  run: Pick<InstallRun, "forceConflicts">,
  context: ApplyContext,
  polling: Polling = {},
): Promise<ObjectResult[]> {
  const { report, signal } = context;
  const results: ObjectResult[] = [];
  for (const number of [0, 1, 2, 3]) {
    signal.throwIfAborted();
    const stage = planned.filter((one) => stageOf(one) === number);
    const carryOut = (one: PlannedObject) => change(cluster, one, run, context, polling);
    const outcomes = await Promise.allSettled(stage.map(carryOut));
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") continue;
      results.push(outcome.value);
      report({ type: "object", ...outcome.value });
    }
    const failed = outcomes.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }
  return results;
}

async function change(
  cluster: Cluster,
  planned: PlannedObject,
  run: Pick<InstallRun, "forceConflicts">,
  { report, signal }: ApplyContext,
  polling: Polling,
): Promise<ObjectResult> {
  const { object, live, action } = planned;
  const ref = refOf(object);
  if (action === "keep" || action === "skip") return resultOf(planned);
  const { uid } = live?.metadata ?? {};
  if (action === "remove") {
    await deleteObject(cluster, ref, { uid, signal });
    return resultOf(planned);
  }
  if (action === "recreate") {
    await deleteObject(cluster, ref, { uid, foreground: true, signal });
    report({ type: "phase", text: `waiting until the old ${titleOf(ref)} is gone` });
    await untilGone(cluster, ref, uid, signal, polling);
  }
  const strategy = action === "change" && strategyPatch(planned);
  if (strategy) {
    const patch = { op: "replace", path: "/spec/strategy", value: strategy } as const;
    await patchObject(cluster, ref, [patch], signal);
  }
  const answer = await write(cluster, object, run, signal);
  if (answer.status >= 300) throw await failure(cluster, planned, answer, signal);
  // What the plan saw may have changed meanwhile: what the server says now is what counts.
  const version = (answer.json as KubeObject).metadata.resourceVersion;
  if (action === "change" && !strategy && version === live?.metadata.resourceVersion)
    return resultOf({ ...planned, action: "keep" });
  return resultOf(planned);
}

async function write(
  cluster: Cluster,
  object: KubeObject,
  { forceConflicts = false }: Pick<InstallRun, "forceConflicts">,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  if (object.kind !== "Secret")
    return applyObject(cluster, object, { force: forceConflicts, signal });
  const answer = await createObject(cluster, object, { signal });
  // Another install was faster; its value is as good.
  return answer.status === 409 ? { ...answer, status: 200, json: object } : answer;
}

async function failure(
  cluster: Cluster,
  { object }: PlannedObject,
  answer: ApiAnswer,
  signal: AbortSignal,
): Promise<Error> {
  const written = [{ object, answer }];
  if (isConflict(answer)) return conflictError(written);
  if (isForbidden(answer)) return explainForbiddenInstall(cluster, [object], written, signal);
  return refusedError(cluster, written);
}
