import { answerMessage } from "../../cluster/api.ts";
import { ifAllowed, listObjects, pathOf, refusal, type KubeObject } from "../../cluster/objects.ts";
import type { ApiAnswer, Cluster } from "../../cluster/types.ts";
import { mapping, text } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import { proofLabel } from "./proof-pod.ts";

/** Pods that are created at once. */
const batch = 16;

const podsIn = (namespace: string) => ({ apiVersion: "v1", kind: "Pod", namespace });

/** All pods of one proof. */
export function listProofPods(
  cluster: Cluster,
  { namespace, tag }: { namespace: string; tag: string },
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const query = { labelSelector: `${proofLabel}=${tag}` };
  return listObjects(cluster, podsIn(namespace), query, signal);
}

/**
 * Creates pods.
 *
 * @throws KpushError `INSTALL_REFUSED` where a rule of the cluster does not like them,
 *   `CLUSTER_FORBIDDEN`, `CLUSTER_FAILED`
 */
export async function createPods(
  cluster: Cluster,
  namespace: string,
  pods: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  const path = pathOf(podsIn(namespace));
  for (let at = 0; at < pods.length; at += batch) {
    // None is under way any more when one has failed: what is made can be listed, and deleted.
    const created = await Promise.allSettled(
      pods.slice(at, at + batch).map(async (body) => {
        const answer = await cluster.request("POST", path, { body, signal });
        if (answer.status >= 300) throw notCreated(cluster, body.metadata, answer);
      }),
    );
    const failure = created.find(({ status }) => status === "rejected");
    if (failure?.status === "rejected") throw failure.reason;
  }
}

/** Deletes all pods of a proof, at once; those that are gone do not matter. */
export async function removePods(
  cluster: Cluster,
  proof: { namespace: string; tag: string },
  signal: AbortSignal,
): Promise<void> {
  const pods = await listProofPods(cluster, proof, signal);
  const body = { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0 };
  await Promise.all(
    pods.map(async ({ metadata: { name } }) => {
      const ref = { ...podsIn(proof.namespace), name };
      const answer = await cluster.request("DELETE", pathOf(ref), { body, signal });
      if (answer.status >= 300 && answer.status !== 404)
        throw refusal(answer, cluster, "delete", ref);
    }),
  );
}

/** What was last said of a pod, e.g. `Pulling: Pulling image "…"`; undefined where nothing was. */
export async function lastEventOf(
  cluster: Cluster,
  namespace: string,
  pod: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const ref = { apiVersion: "v1", kind: "Event", namespace };
  const query = { fieldSelector: `involvedObject.kind=Pod,involvedObject.name=${pod}` };
  const events = (await ifAllowed(listObjects(cluster, ref, query, signal))) ?? [];
  const last = events.toSorted((one, other) => (timeOf(one) < timeOf(other) ? -1 : 1)).at(-1);
  const words = [text(last?.["reason"]), text(last?.["message"])];
  return plain(words.filter((word) => word !== undefined).join(": "), 400) || undefined;
}

const timeOf = (event: KubeObject): string =>
  text(event["lastTimestamp"]) ??
  text(event["eventTime"]) ??
  event.metadata.creationTimestamp ??
  "";

/** A 403 is the user's lack of a right, or that some rule of the cluster does not like the pod. */
function notCreated(
  cluster: Cluster,
  { namespace, name }: KubeObject["metadata"],
  answer: ApiAnswer,
): KpushError {
  const said = answerMessage(answer);
  const hint =
    "kpush install --no-verify leaves the proof out; --verify-nodes 0 proves the push alone";
  const isRule =
    answer.status === 403 &&
    mapping(answer.json)["reason"] === "Forbidden" &&
    !/ cannot create resource /.test(said);
  if (isRule) {
    const message = `the cluster refuses the pods that prove a pull, in namespace ${namespace ?? ""}: ${said}`;
    return new KpushError("INSTALL_REFUSED", message, { hint });
  }
  const error = refusal(answer, cluster, "create", { ...podsIn(namespace ?? ""), name });
  return answer.status === 403 ? new KpushError(error.code, error.message, { hint }) : error;
}
