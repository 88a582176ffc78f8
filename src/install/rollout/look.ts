import { getObject, ifAllowed, listObjects, type KubeObject } from "../../cluster/objects.ts";
import { podsOf } from "../../cluster/pods.ts";
import type { Cluster } from "../../cluster/types.ts";
import { mapping } from "../../cluster/values.ts";
import { labels, names } from "../names.ts";
import { claimName, type Details, type Snapshot } from "./snapshot.ts";

/**
 * Looks at an installation, in one round trip.
 *
 * @param closely - asks for pods, claim and events too
 */
export type Look = (closely: boolean) => Promise<Snapshot>;

const apps = "apps/v1";
const ours = `${labels.name} in (${names.registry},${names.nodeProxy})`;

/** Remembers between two looks which warnings are news, and the name of the claim. */
export function onlooker(
  cluster: Cluster,
  { namespace, proxies }: { namespace: string; proxies: boolean },
  signal: AbortSignal,
): Look {
  let claim: string | undefined;
  let isBound = false;
  let known: Map<string, string | undefined> | undefined;

  const list = async (apiVersion: string, kind: string, query: Record<string, string>) =>
    (await ifAllowed(listObjects(cluster, { apiVersion, kind, namespace }, query, signal))) ?? [];
  const get = (kind: string, name: string, apiVersion = apps) =>
    getObject(cluster, { apiVersion, kind, namespace, name }, signal);

  const askDetails = async (): Promise<Details> => {
    const [pods, replicaSets, claimed, warnings, ofClaim] = await Promise.all([
      list("v1", "Pod", { labelSelector: ours }),
      list(apps, "ReplicaSet", { labelSelector: ours }),
      claim === undefined ? undefined : ifAllowed(get("PersistentVolumeClaim", claim, "v1")),
      list("v1", "Event", { fieldSelector: "type=Warning" }),
      claim !== undefined && !isBound
        ? list("v1", "Event", { fieldSelector: "involvedObject.kind=PersistentVolumeClaim" })
        : [],
    ]);
    isBound = mapping(claimed?.["status"])["phase"] === "Bound";
    known ??= new Map(warnings.map(({ metadata }) => [keyOf(metadata), metadata.resourceVersion]));
    const isNews = ({ metadata }: KubeObject) =>
      !known?.has(keyOf(metadata)) || known.get(keyOf(metadata)) !== metadata.resourceVersion;
    return {
      pods: podsOf({ kind: "PodList", items: pods }) ?? [],
      replicaSets,
      claim: claimed,
      events: warnings.filter(isNews),
      earlier: [...warnings.filter((event) => !isNews(event)), ...ofClaim],
    };
  };

  return async (closely) => {
    const [deployment, daemonSet, details] = await Promise.all([
      get("Deployment", names.registry),
      proxies ? get("DaemonSet", names.nodeProxy) : undefined,
      closely ? askDetails() : undefined,
    ]);
    claim = claimName(deployment);
    return {
      ...{ namespace, deployment },
      proxies: proxies ? { object: daemonSet } : undefined,
      ...(details ? { details } : {}),
    };
  };
}

const keyOf = ({ name, uid = name }: KubeObject["metadata"]): string => uid;
