import {
  getObject,
  ifAllowed,
  listObjects,
  type KubeObject,
  type ObjectRef,
} from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import type { Report } from "../../events.ts";
import { names, registrySelector } from "../names.ts";
import type { InstallSettings } from "../types.ts";
import { otherNamespaces } from "./other-registries.ts";
import { portHolders } from "./port-holders.ts";

/** What the cluster told; undefined is what need not, or may not, be asked. */
export interface Facts {
  nodes: KubeObject[] | undefined;
  /** Of all namespaces. */
  pods: KubeObject[] | undefined;
  classes: KubeObject[] | undefined;
  /** The claim that the user named; `object` is undefined where it is not there. */
  claim: { object: KubeObject | undefined } | undefined;
  namespace: KubeObject | undefined;
  /** kpush's Deployments in other namespaces where a push looks. */
  registries: KubeObject[];
}

/** Asks all that the checks go by, at once. */
export async function ask(
  cluster: Cluster,
  settings: InstallSettings,
  live: readonly KubeObject[],
  { report, signal }: { report: Report; signal: AbortSignal },
): Promise<Facts> {
  const { namespace, storage, nodeAccess } = settings;
  const optional = async <T>(what: string, asked: Promise<T>): Promise<T | undefined> => {
    const answer = await ifAllowed(asked);
    if (answer === undefined)
      report({ type: "debug", message: `you may not see ${what}: they are not checked` });
    return answer;
  };
  const all = (ref: Omit<ObjectRef, "name">, query: Record<string, string> = {}) =>
    optional(`${ref.kind}s`, listObjects(cluster, ref, query, signal));
  const one = (ref: ObjectRef & { name: string }) =>
    optional(
      `${ref.kind} ${ref.name}`,
      getObject(cluster, ref, signal).then((object) => ({ object })),
    );

  const liveOf = (kind: string, name: string) =>
    live.find((object) => object.kind === kind && object.metadata.name === name);
  const wantsClass = storage.kind === "pvc" && !liveOf("PersistentVolumeClaim", names.registryData);
  const [nodes, pods, classes, claim, space, registries] = await Promise.all([
    all({ apiVersion: "v1", kind: "Node" }),
    nodeAccess !== "none" && !holdsPorts(liveOf("DaemonSet", names.nodeProxy), settings)
      ? all(
          { apiVersion: "v1", kind: "Pod" },
          { fieldSelector: "status.phase!=Succeeded,status.phase!=Failed" },
        )
      : undefined,
    wantsClass ? all({ apiVersion: "storage.k8s.io/v1", kind: "StorageClass" }) : undefined,
    storage.kind === "claim"
      ? one({ apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: storage.name })
      : undefined,
    // Where kpush makes it, it is among the live objects as soon as it is there.
    settings.makesNamespace
      ? { object: liveOf("Namespace", namespace) }
      : one({ apiVersion: "v1", kind: "Namespace", name: namespace }),
    Promise.all(
      otherNamespaces(namespace).map((other) =>
        all(
          { apiVersion: "apps/v1", kind: "Deployment", namespace: other },
          { labelSelector: registrySelector },
        ),
      ),
    ),
  ]);
  const value = text(mapping(mapping(nodes?.[0]?.["status"])["nodeInfo"])["kubeletVersion"]);
  if (value !== undefined) report({ type: "fact", what: "nodes", value });
  return {
    ...{ nodes, pods, classes, claim, namespace: space?.object },
    registries: registries.flatMap((found) => found ?? []),
  };
}

/** Whether our own proxies have the port on every node already: then nobody else can. */
function holdsPorts(daemonSet: KubeObject | undefined, settings: InstallSettings): boolean {
  if (!daemonSet) return false;
  const { desiredNumberScheduled, numberAvailable, updatedNumberScheduled } = mapping(
    daemonSet["status"],
  );
  const template = mapping(mapping(mapping(daemonSet["spec"])["template"])["spec"]);
  const pod = { ...daemonSet, spec: { ...template, nodeName: "any" }, status: {} };
  return (
    Number(desiredNumberScheduled) > 0 &&
    numberAvailable === desiredNumberScheduled &&
    updatedNumberScheduled === desiredNumberScheduled &&
    list(template["containers"]).length > 0 &&
    portHolders([pod], settings).length > 0
  );
}
