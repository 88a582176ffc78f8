import { listObjects, pathOf, refOf, type KubeObject } from "../cluster/objects.ts";
import { deleteObject } from "../cluster/object-writes.ts";
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
  const kept = (object: KubeObject | undefined) =>
    object !== undefined &&
    planned.some(
      ({ object: { kind, metadata }, action }) =>
        action === "keep" && kind === object.kind && metadata.name === object.metadata.name,
    );
  const { deployment, proxies } = installed;
  const namespace = deployment?.metadata.namespace ?? proxies?.metadata.namespace ?? "";
  const states = rolloutState({ namespace, deployment, proxies: { object: proxies } });
  const stuck = [deployment, proxies].filter((object, index) => {
    const state = states.get(index === 0 ? "registry" : "proxies");
    return kept(object) && state?.state !== "ready";
  });
  const readdressed = planned.some(
    ({ object: { kind }, action }) =>
      kind === "Service" && (action === "create" || action === "recreate"),
  );
  await Promise.all([
    ...stuck.map((object) => object && retry(cluster, object, signal)),
    readdressed && kept(proxies) && deletePods(cluster, namespace, nodeProxySelector, signal),
  ]);
  if (readdressed && kept(proxies))
    report({ type: "phase", text: "starting the node proxies anew, as the Service is new" });
}

async function retry(cluster: Cluster, object: KubeObject, signal: AbortSignal): Promise<void> {
  const { namespace = "" } = object.metadata;
  // Any change makes its controller look again.
  await cluster.request("PATCH", `${pathOf(refOf(object))}?fieldManager=${manager}`, {
    body: { metadata: { annotations: { [annotations.retried]: new Date().toISOString() } } },
    contentType: "application/merge-patch+json",
    signal,
  });
  const selector = object.metadata.name === names.registry ? registrySelector : nodeProxySelector;
  await deletePods(cluster, namespace, selector, signal, isWaiting);
}

async function deletePods(
  cluster: Cluster,
  namespace: string,
  labelSelector: string,
  signal: AbortSignal,
  which: (pod: KubeObject) => boolean = () => true,
): Promise<void> {
  const kind = { apiVersion: "v1", kind: "Pod", namespace };
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
