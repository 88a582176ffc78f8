import { names } from "../names.ts";
import { admissionCause } from "./causes/admission.ts";
import type { Cause } from "./causes/cause.ts";
import { claimCause } from "./causes/claim.ts";
import { podCause } from "./causes/pod.ts";
import { partTitle, podsOfPart, type Part, type Snapshot } from "./snapshot.ts";
import { rolloutState, type PartState } from "./state.ts";

/**
 * All that keeps an installation from being ready and will not, as it looks, pass by itself. How long
 * each must last until that is certain, it tells; see {@link certainCause}. What is normal during a rollout is
 * not among it.
 */
export function diagnose(snapshot: Snapshot): Cause[] {
  const parts = [...rolloutState(snapshot)].filter(([, { state }]) => state !== "ready");
  const specific = parts.flatMap(([part]) => [
    admissionCause(snapshot, part),
    part === "registry" ? claimCause(snapshot) : undefined,
    ...podsOfPart(snapshot, part).current.map((pod) => podCause(snapshot, part, pod)),
  ]);
  const general = parts.map(([part, state]) => stateCause(snapshot, part, state));
  return [...specific, ...general].filter((cause) => cause !== undefined);
}

/** What is wrong with a Deployment or DaemonSet as such. */
function stateCause({ namespace }: Snapshot, part: Part, { why }: PartState): Cause | undefined {
  const title = partTitle(part);
  const cause = (message: string, hint: string, patience: Cause["patience"] = "none"): Cause => ({
    ...{ key: `${part} ${why ?? ""}`, patience, message, hint },
  });
  if (why === undefined) return undefined;
  switch (why) {
    case "missing":
      return cause(
        `${title}: the ${part === "registry" ? "Deployment" : "DaemonSet"} is not there any more`,
        `someone may have removed it: run kpush install again`,
      );
    case "no-nodes":
      return cause(
        "no node is to run a node proxy: none is Linux, has the wanted labels, and no taint that is not tolerated",
        "kubectl get nodes --show-labels; --node-selector and --toleration choose the nodes",
      );
    case "scaled-to-zero":
      return cause(
        `${title} is scaled to 0`,
        `kubectl scale -n ${namespace} deployment ${names.registry} --replicas=1`,
      );
    case "paused":
      return cause(
        `the rollout of ${title} is paused`,
        `kubectl rollout resume -n ${namespace} deployment ${names.registry}`,
      );
    case "deadline":
      // It may tell of an earlier try: it stays until there is progress.
      return cause(
        `${title} made no progress for longer than its Deployment allows`,
        `kubectl describe deployment -n ${namespace} ${names.registry}`,
        "long",
      );
  }
}
