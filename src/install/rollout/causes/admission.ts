import { plain } from "../../../image/text.ts";
import { labels } from "../../names.ts";
import { allowCommand } from "../../preflight/pod-security.ts";
import type { Cause } from "./cause.ts";
import { currentReplicaSet, eventsOf, partTitle, type Part, type Snapshot } from "../snapshot.ts";
import { mapping } from "../../../cluster/values.ts";

/** One way in which the API server refuses to make a pod. */
interface Refusal {
  said: RegExp;
  patience: Cause["patience"];
  /** Clause in front of the refused part. */
  who: (namespace: string) => string;
  hint: (namespace: string) => string;
}

const refusals: readonly Refusal[] = [
  {
    said: /violates PodSecurity "/,
    patience: "none",
    who: (namespace) =>
      `Pod Security of namespace ${namespace} (its label ${labels.podSecurity}) refuses`,
    hint: (namespace) =>
      `${allowCommand(namespace)}; or install with -n kube-system, or without node proxies (--node-access none)`,
  },
  {
    said: /PriorityClass/,
    patience: "none",
    who: (namespace) => `namespace ${namespace} may not use the priority class of`,
    hint: () => "--priority-class names another; kubectl get priorityclasses lists them",
  },
  {
    // Pods that are on their way out count until they are gone.
    said: /exceeded quota: /,
    patience: "short",
    who: (namespace) => `a ResourceQuota of namespace ${namespace} has no room for`,
    hint: (namespace) => `kubectl describe resourcequota -n ${namespace}`,
  },
  {
    said: /failed quota: /,
    patience: "none",
    who: (namespace) => `a ResourceQuota of namespace ${namespace} refuses`,
    hint: (namespace) => `kubectl describe resourcequota -n ${namespace}`,
  },
  {
    said: /(maximum|minimum) \S+ usage per |limit to request ratio per /,
    patience: "none",
    who: (namespace) => `a LimitRange of namespace ${namespace} refuses`,
    hint: (namespace) => `kubectl describe limitrange -n ${namespace}`,
  },
  {
    said: /admission webhook "[^"]+" denied|failed calling webhook|AdmissionPolicy/,
    patience: "short",
    who: () => "an admission policy of the cluster refuses",
    hint: (namespace) => `ask who runs it to let namespace ${namespace} pass`,
  },
  {
    // A controller makes it a moment after the namespace.
    said: /serviceaccount "[^"]+" not found/i,
    patience: "long",
    who: (namespace) => `namespace ${namespace} has no service account for`,
    hint: (namespace) => `kubectl get serviceaccounts -n ${namespace}`,
  },
  {
    said: /(?:)/,
    patience: "short",
    who: () => "the cluster refuses the pods of",
    hint: (namespace) => `kubectl get events -n ${namespace} --field-selector reason=FailedCreate`,
  },
];

/** Why pods of a part are not even made; read from the events of what should make them. */
export function admissionCause(snapshot: Snapshot, part: Part): Cause | undefined {
  const { namespace, details } = snapshot;
  const said = eventsOf(details?.events ?? [], lackingPods(snapshot, part), [
    "FailedCreate",
    "ReplicaSetCreateError",
  ]).at(-1);
  if (said === undefined) return undefined;
  const refusal = refusals.find((one) => one.said.test(said));
  if (!refusal) return undefined;
  const detail = said.replace(/^Error creating: (pods? "[^"]*" is forbidden: )?/, "");
  return {
    key: `${part} is not made`,
    patience: refusal.patience,
    message: `${refusal.who(namespace)} ${partTitle(part)}: ${plain(detail, 500)}`,
    hint: refusal.hint(namespace),
  };
}

/** The uid of what has still pods to make. */
function lackingPods(snapshot: Snapshot, part: Part): string | undefined {
  const { deployment, proxies } = snapshot;
  if (part === "proxies") {
    const { desiredNumberScheduled = 0, currentNumberScheduled = 0 } = mapping(
      proxies?.object?.["status"],
    );
    return Number(currentNumberScheduled) < Number(desiredNumberScheduled)
      ? proxies?.object?.metadata.uid
      : undefined;
  }
  const set = currentReplicaSet(snapshot);
  if (!set) return deployment?.metadata.uid;
  const { replicas = 0 } = mapping(set["status"]);
  return Number(replicas) < Number(mapping(set["spec"])["replicas"] ?? 1)
    ? set.metadata.uid
    : undefined;
}
