import { setTimeout as delay } from "node:timers/promises";
import type { KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { KpushError } from "../../errors.ts";
import type { Report } from "../../events.ts";
import { paceOf } from "../pace.ts";
import { createPods, lastEventOf, listProofPods } from "./pods.ts";
import { proofPod, pullOf, type Pull } from "./proof-pod.ts";
import { nodeNames, pullFailed } from "./pull-failure.ts";

export interface PullPlan {
  namespace: string;
  nodes: readonly string[];
  /** Reference that nodes pull by. */
  image: string;
  tag: string;
}

/** How patient a proof is. All durations are in milliseconds. */
export interface PullRun {
  report: Report;
  signal: AbortSignal;
  timeout: number;
  /** Between two looks at the pods, at most. */
  interval: number;
  /** Pods that a node gets until its failure counts: the first may meet a proxy that is not up yet. */
  attempts: number;
  /** How long the others are waited for, once a node has failed. */
  settle: number;
}

/** A node, and the pod that it has now. */
interface Place {
  readonly node: string;
  attempt: number;
  pod: string;
  pull: Pull;
}

/**
 * Has each node pull the image, by a pod on it. The pods stay: `removePods` deletes them.
 *
 * @returns the nodes that pulled it; one that takes no pod now is passed over with a warning
 * @throws KpushError `NODE_PULL_FAILED`, `INSTALL_REFUSED` and `CLUSTER_FORBIDDEN` for pods that may not
 *   be made, `TIMEOUT`
 */
export async function pullOnNodes(
  cluster: Cluster,
  plan: PullPlan,
  run: PullRun,
): Promise<string[]> {
  const { signal, timeout, interval, attempts, settle } = run;
  const tell = progressOf(run.report);
  const began = performance.now();
  let until = began + timeout;
  const places = plan.nodes.map((node): Place => ({ node, attempt: 0, pod: "", pull: pending }));
  await place(cluster, plan, places, run);
  for (;;) {
    tell(places);
    if (inState(places, "waiting").length === 0 || performance.now() >= until) break;
    const pause = paceOf(performance.now() - began, interval);
    await delay(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
    const pods = await listProofPods(cluster, plan, signal);
    for (const one of places) look(one, pods);
    const failed = inState(places, "failed");
    const again = failed.filter(({ attempt }) => attempt < attempts);
    await place(cluster, plan, again, run);
    if (failed.length > again.length) until = Math.min(until, performance.now() + settle);
  }
  return outcome(cluster, plan, places, run);
}

const pending: Pull = { state: "waiting", why: "Pending" };

const inState = (places: readonly Place[], state: Pull["state"]) =>
  places.filter(({ pull }) => pull.state === state);

/** Gives each a new pod: for the same one the kubelet waits longer and longer before it pulls again. */
async function place(
  cluster: Cluster,
  { namespace, nodes, image, tag }: PullPlan,
  places: readonly Place[],
  { signal, timeout }: PullRun,
): Promise<void> {
  const seconds = Math.ceil(timeout / 1000) + 60;
  const pods = places.map((one) => {
    one.attempt += 1;
    one.pod = `kpush-proof-${tag}-${nodes.indexOf(one.node)}-${one.attempt}`;
    one.pull = pending;
    return proofPod({ namespace, image, tag, seconds, name: one.pod, node: one.node });
  });
  await createPods(cluster, namespace, pods, signal);
}

/** Takes over what a node's pod says; a node that has pulled, failed or taken no pod is done. */
function look(one: Place, pods: readonly KubeObject[]): void {
  if (one.pull.state !== "waiting") return;
  const pod = pods.find(({ metadata }) => metadata.name === one.pod);
  one.pull = pod ? pullOf(pod) : { state: "refused", why: "its pod was deleted" };
}

/** Reports how many nodes have the image, where that has changed. */
function progressOf(report: Report): (places: readonly Place[]) => void {
  let told = "";
  return (places) => {
    const text = `${inState(places, "pulled").length} of ${places.length} pulled it`;
    if (text !== told) report({ type: "progress", label: "proof", text });
    told = text;
  };
}

async function outcome(
  cluster: Cluster,
  plan: PullPlan,
  places: readonly Place[],
  { report, signal, timeout }: PullRun,
): Promise<string[]> {
  const pulled = inState(places, "pulled").map(({ node }) => node);
  const failed = inState(places, "failed");
  if (failed.length > 0) {
    const failures = new Map(failed.map(({ node, pull }) => [node, pull.why]));
    throw pullFailed(plan.image, failures, pulled.length);
  }
  const waiting = inState(places, "waiting");
  const [first] = waiting;
  if (first) {
    const event = await lastEventOf(cluster, plan.namespace, first.pod, signal);
    const nodes = nodeNames(waiting.map(({ node }) => node));
    const seconds = Math.round(timeout / 1000);
    throw new KpushError(
      "TIMEOUT",
      `${nodes} did not pull ${plan.image} within ${seconds} s: ${event ?? first.pull.why}`,
      { hint: `kubectl get events -n ${plan.namespace}; --timeout waits longer` },
    );
  }
  for (const { node, pull } of inState(places, "refused")) {
    report({ type: "warning", message: `no pull was proved on ${node}: ${pull.why}` });
  }
  return pulled;
}
