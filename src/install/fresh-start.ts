import { listObjects, refOf, type KubeObject } from "../cluster/objects.ts";
import { deleteObject, mergePatch } from "../cluster/object-writes.ts";
import type { Cluster } from "../cluster/types.ts";
import { list, mapping } from "../cluster/values.ts";
import type { Report } from "../events.ts";
import { annotations, names, nodeProxySelector, registrySelector } from "./names.ts";
import type { Installed } from "./installed.ts";
import { rolloutState } from "./rollout/state.ts";
import type { PlannedObject } from "./types.ts";

/** Not the manager of what is rendered: an apply would take away what it does not name. */
const manager = "kpush-start";

/**
 * Has the cluster try at once what would else wait: after each failure controllers and kubelets wait
 * longer, up to a quarter of an hour, and whoever runs an installation again has mended the cause. Also
 * starts the node proxies anew where the Service was: they know it by its address at their start.
 *
 * @param installed - as it was before the plan was carried out
 */
export async function startAfresh(
  cluster: Cluster,
  planned: readonly PlannedObject[],
  installed: Installed,
  { report, signal }: { report: Report; signal: AbortSignal },
): Promise<void> {
  const { deployment, proxies } = installed;
  const isKept = ({ kind, metadata }: KubeObject) =>
    planned.some(
      ({ object, action }) =>
        action === "keep" && object.kind === kind && object.metadata.name === metadata.name,
    );
  const states = rolloutState({ namespace: "", deployment, proxies: { object: proxies } });
  const parts = [
    { object: deployment, state: states.get("registry") },
    { object: proxies, state: states.get("proxies") },
  ];
  const work: Promise<void>[] = [];
  for (const { object, state } of parts) {
    if (object && isKept(object) && state?.state !== "ready")
      work.push(retry(cluster, object, signal));
  }
  const isReplaced = planned.some(
    ({ object: { kind }, action }) =>
      kind === "Service" && (action === "create" || action === "recreate"),
  );
  if (isReplaced && proxies && isKept(proxies)) {
    report({ type: "phase", text: "starting the node proxies anew, as the Service is new" });
    work.push(deletePods(cluster, proxies, signal));
  }
  await Promise.all(work);
}

async function retry(cluster: Cluster, object: KubeObject, signal: AbortSignal): Promise<void> {
  // Any change makes its controller look again.
  const note = { metadata: { annotations: { [annotations.retried]: new Date().toISOString() } } };
  await mergePatch(cluster, object, note, { manager, signal });
  await deletePods(cluster, object, signal, isWaiting);
}

/** Deletes the pods of one of kpush's workloads. */
async function deletePods(
  cluster: Cluster,
  { metadata: { name, namespace } }: KubeObject,
  signal: AbortSignal,
  which: (pod: KubeObject) => boolean = () => true,
): Promise<void> {
  const kind = { apiVersion: "v1", kind: "Pod", namespace };
  const labelSelector = name === names.registry ? registrySelector : nodeProxySelector;
  const pods = await listObjects(cluster, kind, { labelSelector }, signal);
  await Promise.all(
    pods.filter(which).map((pod) => {
      const { uid } = pod.metadata;
      return deleteObject(cluster, refOf(pod), { uid, signal });
    }),
  );
}

/** Whether a kubelet lets time pass before it tries again to pull an image or to start a container. */
function isWaiting({ status }: KubeObject): boolean {
  return list(mapping(status)["containerStatuses"]).some((container) => {
    const { waiting } = mapping(mapping(container)["state"]);
    const { reason } = mapping(waiting);
    return ["ImagePullBackOff", "ErrImagePull", "CrashLoopBackOff"].includes(String(reason));
  });
}
