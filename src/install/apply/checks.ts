import { refOf, titleOf, type KubeObject, type ObjectRef } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { KpushError } from "../../errors.ts";
import { claimProblem } from "./claim.ts";
import { conflictError, isConflict } from "./conflicts.ts";
import { isGoing, isOurs, makerOf } from "./ownership.ts";
import { explainForbiddenInstall } from "./permissions.ts";
import { isForbidden, isTerminating } from "./refusals.ts";
import { replaceable } from "./settle.ts";
import type { Tried } from "./try-out.ts";

/** All that the user may not do, and how an administrator allows it. */
export async function refuseForbidden(
  cluster: Cluster,
  tried: readonly Tried[],
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  const forbidden = tried.filter(({ answer }) => isForbidden(answer));
  if (forbidden.length > 0)
    throw await explainForbiddenInstall(cluster, objects, forbidden, signal);
}

/** What is being deleted and cannot be made anew beside it: the namespace, and the claim with its data. */
export function refuseGoing(tried: readonly Tried[]): void {
  const going = tried.find(({ object, live }) => isGoing(live) && !replaceable.has(object.kind));
  const ending = tried.find(({ answer }) => isTerminating(answer))?.object.metadata.namespace;
  const ref: Omit<ObjectRef, "apiVersion"> | undefined = going
    ? refOf(going.object)
    : ending === undefined
      ? undefined
      : { kind: "Namespace", name: ending };
  if (!ref) return;
  const where = ref.namespace === undefined ? "" : ` -n ${ref.namespace}`;
  const wait = `kubectl wait --for=delete --timeout=5m ${ref.kind.toLowerCase()}/${ref.name ?? ""}${where}`;
  throw new KpushError("INSTALL_REFUSED", `${titleOf(ref)} is being deleted`, {
    hint: `install again when it is gone: ${wait}`,
  });
}

/** What others made under the same names. */
export function refuseForeign(tried: readonly Tried[]): void {
  const foreign = tried.flatMap(({ object, live }) =>
    live && !isOurs(live) && object.kind !== "Secret"
      ? [`${titleOf(refOf(object))} (${makerOf(live)})`]
      : [],
  );
  if (foreign.length === 0) return;
  throw new KpushError(
    "INSTALL_REFUSED",
    `objects of these names are there already: ${foreign.join(", ")}`,
    { hint: "install into another namespace (-n), or take them over with --take-ownership" },
  );
}

/** Claims that cannot become what is asked. */
export function refuseClaims(tried: readonly Tried[]): void {
  const problems = tried.flatMap(({ object, live, answer }) =>
    object.kind === "PersistentVolumeClaim" && live
      ? (claimProblem(object, live, answer) ?? [])
      : [],
  );
  if (problems.length === 0) return;
  throw new KpushError("INSTALL_REFUSED", problems.join("; "), {
    hint: "leave out --size and --storage-class to keep the claim as it is; nothing was changed",
  });
}

/** What other managers set; a Secret is never changed. */
export function refuseConflicts(tried: readonly Tried[]): void {
  const conflicts = tried.filter(
    ({ object, answer }) => object.kind !== "Secret" && isConflict(answer),
  );
  if (conflicts.length > 0) throw conflictError(conflicts);
}
