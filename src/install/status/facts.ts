import { getObject, ifAllowed, listObjects, type KubeObject } from "../../cluster/objects.ts";
import { podsOf, type Pod } from "../../cluster/pods.ts";
import type { Cluster } from "../../cluster/types.ts";
import { labels, names } from "../names.ts";
import { claimName } from "../rollout/snapshot.ts";
import type { Installation } from "./find-installation.ts";

/** What the API server tells of an installation; undefined is what may not be read. */
export interface Facts extends Installation {
  registryPods: Pod[];
  proxyPods: Pod[];
  /** Of the node proxies; undefined also where there is none. */
  daemonSet: KubeObject | undefined;
  /** The claim that the registry's pods mount; `object` is undefined where it is not there. */
  claim: { name: string; object: KubeObject | undefined } | undefined;
  bindings: KubeObject[] | undefined;
  nodes: KubeObject[] | undefined;
}

/**
 * Asks for all of it at once.
 *
 * @throws KpushError `CLUSTER_FORBIDDEN` where pods may not be listed, `CLUSTER_FAILED`
 */
export async function gatherFacts(
  cluster: Cluster,
  installation: Installation,
  signal: AbortSignal,
): Promise<Facts> {
  const { namespace, deployment } = installation;
  const pods = { apiVersion: "v1", kind: "Pod", namespace };
  const proxies = { apiVersion: "apps/v1", kind: "DaemonSet", namespace, name: names.nodeProxy };
  const rights = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", namespace };
  const query = { labelSelector: `${labels.name} in (${names.registry},${names.nodeProxy})` };
  const [all, daemonSet, claim, bindings, nodes] = await Promise.all([
    listObjects(cluster, pods, query, signal),
    ifAllowed(getObject(cluster, proxies, signal)),
    ifAllowed(claimOf(cluster, namespace, claimName(deployment), signal)),
    ifAllowed(listObjects(cluster, rights, {}, signal)),
    ifAllowed(listObjects(cluster, { apiVersion: "v1", kind: "Node" }, {}, signal)),
  ]);
  const named = (name: string) =>
    (podsOf({ kind: "PodList", items: all }) ?? []).filter(
      ({ metadata }) => metadata.labels?.[labels.name] === name,
    );
  return {
    ...installation,
    registryPods: named(names.registry),
    proxyPods: named(names.nodeProxy),
    ...{ daemonSet, claim, bindings, nodes },
  };
}

async function claimOf(
  cluster: Cluster,
  namespace: string,
  name: string | undefined,
  signal: AbortSignal,
): Promise<Facts["claim"]> {
  if (name === undefined) return undefined;
  const ref = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name };
  return { name, object: await getObject(cluster, ref, signal) };
}
