import type { KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import type { InstallRun, PlannedObject } from "../types.ts";
import {
  refuseClaims,
  refuseConflicts,
  refuseForbidden,
  refuseForeign,
  refuseGoing,
} from "./checks.ts";
import type { Written } from "./conflicts.ts";
import { findOurs, noLongerRendered } from "./inventory.ts";
import { splitSkipped, withoutForeignNamespace } from "./left-out.ts";
import { keyOf } from "./ownership.ts";
import { refusedError } from "./refusals.ts";
import { withSecret } from "./secret.ts";
import { settle } from "./settle.ts";
import { keepingClass, liveOf, tryOut } from "./try-out.ts";

type Run = Pick<InstallRun, "forceConflicts" | "takeOwnership">;

/**
 * Asks the server what it would make of each object, and refuses what cannot be before anything is
 * changed. In the usual case all is asked at once: one round trip.
 *
 * @param rendered - in the order in which they are to be applied
 * @returns these objects, the Secret that is made once, and what kpush made before and is no longer
 *   rendered; without the Namespace where that is not kpush's
 * @throws KpushError `CLUSTER_FORBIDDEN` for all that is forbidden, with the commands that allow it;
 *   `INSTALL_CONFLICT` for all fields of other managers; `INSTALL_REFUSED` for objects that others
 *   made, claims that cannot become what is asked, and what the server does not take
 */
export async function planObjects(
  cluster: Cluster,
  rendered: readonly KubeObject[],
  run: Run,
  signal: AbortSignal,
): Promise<PlannedObject[]> {
  const objects = withSecret(rendered);
  const [answers, ours] = await Promise.all([
    Promise.all(objects.map((object) => tryOut(cluster, object, run, signal))),
    findOurs(cluster, objects, signal),
  ]);
  const tried = await Promise.all(
    answers.map(async ({ object, answer }) => {
      const live = ours.get(keyOf(object)) ?? (await liveOf(cluster, object, answer, signal));
      return keepingClass(cluster, { object, answer, live }, run, signal);
    }),
  );
  const wanted = withoutForeignNamespace(tried);
  const { skipped, rest } = splitSkipped(wanted);
  await refuseForbidden(cluster, rest, objects, signal);
  refuseGoing(rest);
  if (run.takeOwnership !== true) refuseForeign(rest);
  refuseClaims(rest);
  refuseConflicts(rest);

  const settled = await Promise.all(rest.map((one) => settle(cluster, one, run, signal)));
  const refused = settled.filter(isRefused);
  if (refused.length > 0) throw refusedError(cluster, refused);
  const planned = settled.flatMap((one) => (isRefused(one) ? [] : [one]));
  return [...planned, ...skipped, ...noLongerRendered(ours, objects)];
}

const isRefused = (one: PlannedObject | Written): one is Written => "answer" in one;
