import { getObject, refOf, type KubeObject } from "../../cluster/objects.ts";
import { applyObject, createObject } from "../../cluster/object-writes.ts";
import type { ApiAnswer, Cluster } from "../../cluster/types.ts";
import type { InstallRun } from "../types.ts";
import { mapping } from "../../cluster/values.ts";
import { isConflict, type Written } from "./conflicts.ts";
import { isForbidden } from "./refusals.ts";

/** An object beside what is there, and the answer to its dry run. */
export interface Tried extends Written {
  live: KubeObject | undefined;
}

/**
 * Dry-runs one object. A Secret is only ever made, so that a dry run of that is what tells: 409 where
 * there is one, which nobody then has to read.
 */
export async function tryOut(
  cluster: Pick<Cluster, "request">,
  object: KubeObject,
  { forceConflicts = false }: Pick<InstallRun, "forceConflicts">,
  signal: AbortSignal,
): Promise<Written> {
  const options = { dryRun: true, signal };
  const answer =
    object.kind === "Secret"
      ? await createObject(cluster, object, options)
      : await applyObject(cluster, object, { ...options, force: forceConflicts });
  return { object, answer };
}

/** The object as it is, where the answer to its dry run says that there is one. */
export async function liveOf(
  cluster: Cluster,
  object: KubeObject,
  answer: ApiAnswer,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const tellsOfOne = [200, 403, 409, 422].includes(answer.status) && !isForbidden(answer);
  if (!tellsOfOne || object.kind === "Secret" || object.kind === "Namespace") return undefined;
  return getObject(cluster, refOf(object), signal);
}

/**
 * Tries a claim again with the class that it has, where none is asked for: apply would take out a class
 * that it set before, and that is refused.
 */
export async function keepingClass(
  cluster: Pick<Cluster, "request">,
  tried: Tried,
  run: Pick<InstallRun, "forceConflicts">,
  signal: AbortSignal,
): Promise<Tried> {
  const { object, live, answer } = tried;
  const { storageClassName } = mapping(live?.["spec"]);
  const spec = mapping(object["spec"]);
  const isRefused = answer.status >= 400 && !isForbidden(answer) && !isConflict(answer);
  if (object.kind !== "PersistentVolumeClaim" || !isRefused) return tried;
  if (storageClassName === undefined || spec["storageClassName"] !== undefined) return tried;
  const same = { ...object, spec: { ...spec, storageClassName } };
  return { ...(await tryOut(cluster, same, run, signal)), live };
}
