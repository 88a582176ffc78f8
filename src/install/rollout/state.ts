import type { KubeObject } from "../../cluster/objects.ts";
import { list, mapping } from "../../cluster/values.ts";
import type { Part, Snapshot } from "./snapshot.ts";

/** How far a part is: `wanted` pods or nodes, of which `ready` are available. */
export interface PartState {
  state: "ready" | "waiting" | "failed";
  ready: number;
  wanted: number;
  /** Why it failed; a clause that follows the part's name. */
  why?: "missing" | "no-nodes" | "scaled-to-zero" | "paused" | "deadline";
}

/** How far an installation is, by the rules of `kubectl rollout status`. */
export function rolloutState({ deployment, proxies }: Snapshot): Map<Part, PartState> {
  const states = new Map<Part, PartState>([["registry", deploymentState(deployment)]]);
  if (proxies) states.set("proxies", daemonSetState(proxies.object));
  return states;
}

/** What there is to count, with 0 for what a status does not tell. */
function counts(object: KubeObject) {
  const status = mapping(object["status"]);
  const count = (field: string) => Number(status[field] ?? 0);
  return {
    status,
    count,
    isSeen: (object.metadata.generation ?? 0) <= count("observedGeneration"),
  };
}

/**
 * Rules of kubectl's rollout_status.go for a Deployment. Unlike there, no replica wanted is a
 * failure: nothing would answer.
 */
function deploymentState(deployment: KubeObject | undefined): PartState {
  if (!deployment) return { state: "failed", ready: 0, wanted: 1, why: "missing" };
  const { status, count, isSeen } = counts(deployment);
  const { replicas, paused } = mapping(deployment["spec"]);
  const wanted = Number(replicas ?? 1);
  const [updated, available] = [count("updatedReplicas"), count("availableReplicas")];
  const numbers = { wanted, ready: Math.min(available, updated) };
  if (!isSeen) return { state: "waiting", ...numbers, ready: 0 };
  if (wanted === 0) return { state: "failed", ...numbers, why: "scaled-to-zero" };
  const isExceeded = list(status["conditions"])
    .map(mapping)
    .some(({ type, reason }) => type === "Progressing" && reason === "ProgressDeadlineExceeded");
  if (isExceeded) return { state: "failed", ...numbers, why: "deadline" };
  const isDone = updated >= wanted && count("replicas") <= updated && available >= updated;
  if (isDone) return { state: "ready", ...numbers };
  if (paused === true) return { state: "failed", ...numbers, why: "paused" };
  return { state: "waiting", ...numbers };
}

/**
 * The same for a DaemonSet. Unlike in kubectl, no node wanted is a failure: nobody could pull.
 */
function daemonSetState(daemonSet: KubeObject | undefined): PartState {
  if (!daemonSet) return { state: "failed", ready: 0, wanted: 1, why: "missing" };
  const { count, isSeen } = counts(daemonSet);
  const wanted = count("desiredNumberScheduled");
  const [updated, available] = [count("updatedNumberScheduled"), count("numberAvailable")];
  const numbers = { wanted, ready: Math.min(updated, available) };
  if (!isSeen) return { state: "waiting", ...numbers, ready: 0 };
  if (wanted === 0) return { state: "failed", ...numbers, why: "no-nodes" };
  return { state: updated >= wanted && available >= wanted ? "ready" : "waiting", ...numbers };
}
