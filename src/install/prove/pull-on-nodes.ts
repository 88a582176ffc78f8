import { setTimeout as delay } from "node:timers/promises";
import { listObjects, pathOf, refusal, type KubeObject } from "../../cluster/objects.ts";
import { mapping } from "../../cluster/values.ts";
import type { Cluster } from "../../cluster/types.ts";
import { answerMessage } from "../../cluster/api.ts";
import { KpushError } from "../../errors.ts";
import type { Report } from "../../events.ts";
import { proofLabel, proofPod, pullOf, type Pull } from "./proof-pod.ts";
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
  /** Between two looks at the pods. */
  interval: number;
  /** Pods that a node gets until its failure counts: the first may meet a proxy that is not up yet. */
  attempts: number;
  /** How long the others are waited for, once a node has failed. */
  settle: number;
}

/** A node, and the pod that it has now. */
interface Place {
  node: string;
  pod: string;
  attempt: number;
  pull: Pull;
}

/** Pods that are created at once. */
const batch = 16;

/**
 * Has each node pull the image, by a pod on it. The pods stay: {@link removePods} deletes them.
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
  const { signal, timeout, interval, attempts, settle, report } = run;
  let until = performance.now() + timeout;
  const places = plan.nodes.map((node, at) => placeOn(node, `kpush-proof-${plan.tag}-${at}`));
  await create(cluster, plan, places, run);
  let told = "";
  let failing = false;
  for (;;) {
    const pods = await listObjects(cluster, podsIn(plan.namespace), labelled(plan.tag), signal);
    for (const place of places) look(place, pods);
    const again = places.filter(
      ({ pull, attempt }) => pull.state === "failed" && attempt < attempts,
    );
    for (const place of again)
      Object.assign(place, placeOn(place.node, nextName(place), place.attempt + 1));
    await create(cluster, plan, again, run);

    const text = `${inState(places, "pulled").length} of ${places.length} nodes pulled it`;
    if (text !== told) report({ type: "progress", label: "nodes", text });
    told = text;
    const waiting = inState(places, "waiting");
    if (waiting.length === 0) break;
    if (!failing && inState(places, "failed").length > 0) {
      failing = true;
      until = Math.min(until, performance.now() + settle);
    }
    if (performance.now() >= until) break;
    await delay(interval, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  return outcome(plan, places, run);
}

/** Deletes all pods of a proof, at once; those that are gone do not matter. */
export async function removePods(
  cluster: Cluster,
  { namespace, tag }: Pick<PullPlan, "namespace" | "tag">,
  signal: AbortSignal,
): Promise<void> {
  const pods = await listObjects(cluster, podsIn(namespace), labelled(tag), signal);
  const body = { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0 };
  await Promise.all(
    pods.map(async ({ metadata: { name } }) => {
      const ref = { ...podsIn(namespace), name };
      const answer = await cluster.request("DELETE", pathOf(ref), { body, signal });
      if (answer.status >= 300 && answer.status !== 404)
        throw refusal(answer, cluster, "delete", ref);
    }),
  );
}

const podsIn = (namespace: string) => ({ apiVersion: "v1", kind: "Pod", namespace });
const labelled = (tag: string) => ({ labelSelector: `${proofLabel}=${tag}` });
const inState = (places: readonly Place[], state: Pull["state"]) =>
  places.filter(({ pull }) => pull.state === state);

function placeOn(node: string, pod: string, attempt = 1): Place {
  return { node, pod, attempt, pull: { state: "waiting", why: "Pending" } };
}

/** The kubelet waits longer and longer before it pulls for the same pod again; a new one it serves at once. */
function nextName({ pod, attempt }: Place): string {
  return `${attempt === 1 ? pod : pod.slice(0, pod.lastIndexOf("-"))}-${attempt + 1}`;
}

/** Takes over what a node's pod says; a node that has pulled, or taken no pod, is done. */
function look(place: Place, pods: readonly KubeObject[]): void {
  if (place.pull.state !== "waiting") return;
  const pod = pods.find(({ metadata }) => metadata.name === place.pod);
  place.pull = pod ? pullOf(pod) : { state: "refused", why: "its pod was deleted" };
}

async function create(
  cluster: Cluster,
  plan: PullPlan,
  places: readonly Place[],
  { signal, timeout }: PullRun,
): Promise<void> {
  const seconds = Math.ceil(timeout / 1000) + 60;
  const path = pathOf(podsIn(plan.namespace));
  for (let at = 0; at < places.length; at += batch) {
    // None is under way any more when one has failed: what is made can be listed, and deleted.
    const answers = await Promise.allSettled(
      places.slice(at, at + batch).map(async ({ node, pod: name }) => {
        const body = proofPod({ ...plan, name, node, seconds });
        const answer = await cluster.request("POST", path, { body, signal });
        if (answer.status >= 300) throw notCreated(cluster, plan, answer);
      }),
    );
    const failure = answers.find(({ status }) => status === "rejected");
    if (failure?.status === "rejected") throw failure.reason;
  }
}

/** A 403 is the user's lack of a right, or that some rule of the cluster does not like the pod. */
function notCreated(
  cluster: Cluster,
  { namespace }: PullPlan,
  answer: Awaited<ReturnType<Cluster["request"]>>,
): KpushError {
  const said = answerMessage(answer);
  const isRight = / cannot create resource /.test(said);
  if (answer.status !== 403 || isRight || mapping(answer.json)["reason"] !== "Forbidden") {
    const error = refusal(answer, cluster, "create", podsIn(namespace));
    return isRight ? withoutProof(error.code, error.message) : error;
  }
  return withoutProof(
    "INSTALL_REFUSED",
    `the cluster refuses the pods that prove a pull, in namespace ${namespace}: ${said}`,
  );
}

const withoutProof = (code: "INSTALL_REFUSED" | KpushError["code"], message: string) =>
  new KpushError(code, message, {
    hint: "kpush install --no-verify leaves the proof out; --verify-nodes 0 proves the push alone",
  });

function outcome(
  { image }: PullPlan,
  places: readonly Place[],
  { report, timeout }: PullRun,
): string[] {
  const pulled = inState(places, "pulled").map(({ node }) => node);
  const failed = inState(places, "failed");
  if (failed.length > 0) {
    const failures = new Map(failed.map(({ node, pull }) => [node, pull.why]));
    throw pullFailed(image, failures, pulled.length);
  }
  const waiting = inState(places, "waiting");
  if (waiting.length > 0) {
    const [first] = waiting;
    throw new KpushError(
      "TIMEOUT",
      `within ${Math.round(timeout / 1000)} s ${nodeNames(waiting.map(({ node }) => node))} did not begin to pull ${image} (${first?.pull.why ?? ""})`,
      {
        hint: "kubectl get events tells what the pods kpush-proof-… waited for; --timeout waits longer",
      },
    );
  }
  for (const { node, pull } of inState(places, "refused")) {
    report({ type: "warning", message: `no pull was proved on ${node}: ${pull.why}` });
  }
  return pulled;
}
