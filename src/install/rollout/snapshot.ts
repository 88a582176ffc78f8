import type { KubeObject } from "../../cluster/objects.ts";
import type { Pod } from "../../cluster/pods.ts";
import { list, mapping, text } from "../../cluster/values.ts";

/** An installation at one moment, as the API server told it. */
export interface Snapshot {
  namespace: string;
  /** Undefined where it is not there. */
  deployment: KubeObject | undefined;
  /** Undefined where no node proxies are waited for; `object` where there is none. */
  proxies: { object: KubeObject | undefined } | undefined;
  /** Asked only as long as something is not ready. */
  details?: Details;
}

/** What tells why something is not ready; lists are empty where they may not be read. */
export interface Details {
  pods: readonly Pod[];
  replicaSets: readonly KubeObject[];
  /** Of the registry; undefined where it keeps its images elsewhere, or the claim is not there. */
  claim: KubeObject | undefined;
  /** Warnings of this rollout, and all events of the claim. */
  events: readonly KubeObject[];
  /** Warnings that were there when the wait began: what they tell of may be over. */
  earlier: readonly KubeObject[];
}

/** Which of the two a pod, an event or a trouble belongs to. */
export type Part = "registry" | "proxies";
export const partTitle = (part: Part): string =>
  part === "registry" ? "the registry" : "the node proxies";

/** The claim that the pods of a Deployment mount. */
export function claimName(deployment: KubeObject | undefined): string | undefined {
  const { template } = mapping(deployment?.["spec"]);
  return list(mapping(mapping(template)["spec"])["volumes"])
    .map((volume) => text(mapping(mapping(volume)["persistentVolumeClaim"])["claimName"]))
    .find((name) => name !== undefined);
}

const revision = "deployment.kubernetes.io/revision";

/** The ReplicaSet of the Deployment's present template. */
export function currentReplicaSet({ deployment, details }: Snapshot): KubeObject | undefined {
  return details?.replicaSets.find(
    (set) =>
      isOwnedBy(set, deployment) &&
      set.metadata.annotations?.[revision] === deployment?.metadata.annotations?.[revision],
  );
}

/** The pods of a part: those of its present template, and those that a change is to replace. */
export function podsOfPart(snapshot: Snapshot, part: Part): { current: Pod[]; old: Pod[] } {
  const { deployment, proxies, details } = snapshot;
  const pods = details?.pods ?? [];
  const split = (own: Pod[], isCurrent: (pod: Pod) => boolean) => ({
    current: own.filter((pod) => isCurrent(pod) && pod.metadata.deletionTimestamp === undefined),
    old: own.filter((pod) => !isCurrent(pod) || pod.metadata.deletionTimestamp !== undefined),
  });
  if (part === "proxies") {
    const generation =
      proxies?.object?.metadata.annotations?.["deprecated.daemonset.template.generation"];
    return split(
      pods.filter((pod) => isOwnedBy(pod, proxies?.object)),
      ({ metadata }) => {
        const own = metadata.labels?.["pod-template-generation"];
        return own === undefined || generation === undefined || own === generation;
      },
    );
  }
  const sets = (details?.replicaSets ?? []).filter((set) => isOwnedBy(set, deployment));
  const current = currentReplicaSet(snapshot);
  return split(
    pods.filter((pod) => sets.some((set) => isOwnedBy(pod, set))),
    (pod) => isOwnedBy(pod, current),
  );
}

function isOwnedBy({ metadata }: { metadata: object }, owner: KubeObject | undefined): boolean {
  const { ownerReferences } = metadata as { ownerReferences?: unknown };
  return (
    owner?.metadata.uid !== undefined &&
    list(ownerReferences).some((reference) => mapping(reference)["uid"] === owner.metadata.uid)
  );
}

/** What was said of an object by events, the latest last. */
export function eventsOf(
  events: readonly KubeObject[],
  uid: string | undefined,
  reasons?: readonly string[],
): string[] {
  return events
    .filter(
      ({ involvedObject, reason }) =>
        uid !== undefined &&
        mapping(involvedObject)["uid"] === uid &&
        (reasons?.includes(text(reason) ?? "") ?? true),
    )
    .toSorted((a, b) => timeOf(a).localeCompare(timeOf(b)))
    .flatMap(
      ({ message }) => text(message)?.replace(/^\(combined from similar events\): /, "") ?? [],
    );
}

const timeOf = ({ lastTimestamp, eventTime, metadata }: KubeObject): string =>
  text(lastTimestamp) ?? text(eventTime) ?? metadata.creationTimestamp ?? "";
