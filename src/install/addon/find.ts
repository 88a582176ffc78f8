import { listObjects, type KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { labels, names } from "../names.ts";
import { memoryOf, type Memory } from "./memory.ts";
import * as template from "./templates.ts";

/** What there is of the old addon in one namespace. */
export interface Addon {
  namespace: string;
  /** Whatever runs its registry: one, unless something is odd. Undefined as soon as it is replaced. */
  workload: KubeObject | undefined;
  /** More of the kind; only one of them can be replaced. */
  others: KubeObject[];
  /** DaemonSets. */
  proxies: KubeObject[];
  /** Services by which the registry is known. */
  services: KubeObject[];
  /** Pods of the registry or of proxies that nothing runs which could be scaled or deleted here. */
  stray: KubeObject[];
  /** As an earlier run noted it, and as it is where that can be seen. */
  memory: Memory;
  store: template.Store | undefined;
  /** Whom its registry runs as. */
  user: number;
}

const apps = "apps/v1";

/**
 * Looks for it, in one round trip.
 *
 * @throws KpushError `CLUSTER_FORBIDDEN`, `CLUSTER_FAILED`
 */
export async function findAddon(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<Addon> {
  const all = (apiVersion: string, kind: string) =>
    listObjects(cluster, { apiVersion, kind, namespace }, {}, signal);
  const [controllers, deployments, sets, daemonSets, services, pods] = await Promise.all([
    all("v1", "ReplicationController"),
    all(apps, "Deployment"),
    all(apps, "ReplicaSet"),
    all(apps, "DaemonSet"),
    all("v1", "Service"),
    all("v1", "Pod"),
  ]);
  const free = sets.filter((set) => ownerKind(set) === undefined);
  const [workload, ...others] = [...controllers, ...deployments, ...free].filter(isRegistry);
  const proxies = daemonSets.filter(isProxy);
  const spec = workload && template.templateOf(workload).spec;
  return {
    ...{ namespace, workload, others, proxies },
    services: services.filter(isItsService),
    stray: pods.filter(isStray),
    memory: memoryNow(workload, proxies),
    store: spec && template.storeOf(spec),
    user: template.userOf(spec ?? {}),
  };
}

const isRegistry = (object: KubeObject): boolean => {
  const { labels: marks, spec } = template.templateOf(object);
  return template.isOldRegistry(marks, spec);
};
const isProxy = (object: KubeObject): boolean => {
  const { labels: marks, spec } = template.templateOf(object);
  return template.isOldProxy(marks, spec);
};

/** Static pods belong to a Node, and a StatefulSet to whoever thought of it. */
function isStray({ metadata, spec, status }: KubeObject): boolean {
  const known = ["DaemonSet", "Deployment", "ReplicaSet", "ReplicationController"];
  const { phase } = mapping(status);
  if (phase === "Succeeded" || phase === "Failed" || metadata.deletionTimestamp !== undefined)
    return false;
  const isOurs = metadata.labels?.[labels.managedBy] === "kpush";
  const isOld =
    template.isOldProxy(metadata.labels, spec) || template.isOldRegistry(metadata.labels, spec);
  return isOld && !isOurs && !known.includes(ownerKind({ metadata }) ?? "");
}

/** By its selector; or by its name, where an earlier run has pointed it at the new registry. */
function isItsService(service: KubeObject): boolean {
  const { selector } = mapping(service["spec"]);
  const isRenamed = service.metadata.name.startsWith("kube-registry") && selectsNew(service);
  return template.selectsOldRegistry(selector) || isRenamed;
}

/** Whether a Service leads to the new registry. */
export function selectsNew({ spec }: KubeObject): boolean {
  return mapping(mapping(spec)["selector"])[labels.name] === names.registry;
}

/** Kind of what controls an object, as a person would call it: `Node` for a static pod. */
export function ownerKind({ metadata }: Pick<KubeObject, "metadata">): string | undefined {
  const owner = list(metadata["ownerReferences"])
    .map(mapping)
    .find(({ controller }) => controller === true);
  return text(owner?.["kind"]);
}

/** What can be seen counts; what is gone, or scaled down, as it was noted. */
function memoryNow(workload: KubeObject | undefined, proxies: readonly KubeObject[]): Memory {
  const noted = memoryOf(workload);
  const specs = proxies.map((proxy) => template.templateOf(proxy).spec);
  const own = workload ? [template.templateOf(workload).spec] : [];
  const { replicas } = mapping(workload?.["spec"]);
  const port = specs.map(template.hostPortOf).find((one) => one !== undefined);
  const maps = [...specs, ...own].flatMap(template.configMapsOf);
  return {
    replicas: Number(replicas ?? 1) || (noted?.replicas ?? 0),
    nodePort: port ?? noted?.nodePort,
    hostNetwork:
      specs.some(({ hostNetwork }) => hostNetwork === true) || noted?.hostNetwork === true,
    configMaps: [...new Set([...maps, ...(noted?.configMaps ?? [])])],
    witness: noted?.witness ?? "unknown",
  };
}
