import type { KubeObject } from "../../cluster/objects.ts";
import { labels } from "../names.ts";
import type { InstallSettings, Subject } from "../types.ts";
import { manifest } from "./manifests.ts";

/** The Namespace, with the Pod Security level that its pods need. */
export function namespaceObject({ nodeAccess, runAsUser }: InstallSettings): KubeObject {
  const object = manifest("namespace");
  if (nodeAccess === "none") {
    const level = runAsUser === 0 ? "baseline" : "restricted";
    (object.metadata.labels ??= {})[labels.podSecurity] = level;
  }
  return object;
}

interface NetworkPolicy extends KubeObject {
  spec: { ingress: { from: object[]; ports: object[] }[] };
}

/**
 * Which pods reach the registry and the proxies. None with proxies on the nodes' own network: a policy
 * cannot tell these from other pods there, and a list of nodes' addresses would be out of date soon.
 */
export function networkPolicies({
  nodeAccess,
  nodePush,
  allowFrom,
}: InstallSettings): KubeObject[] {
  if (nodeAccess === "hostnetwork") return [];
  const policy = manifest("registryPolicy") as NetworkPolicy;
  const [{ from, ports } = { from: [], ports: [] }] = policy.spec.ingress;
  const pods = [
    ...(nodeAccess === "none" ? [] : from),
    ...allowFrom.map((namespace) => ({
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    })),
  ];
  // An empty list of peers would allow all of them.
  policy.spec.ingress = pods.length === 0 ? [] : [{ from: pods, ports }];
  return nodePush ? [policy, manifest("nodeProxyPolicy")] : [policy];
}

/** Whom `--allow-push` names, bound to the Role; undefined where it names nobody. */
export function pushRoleBinding({ allowPush }: InstallSettings): KubeObject | undefined {
  if (allowPush.length === 0) return undefined;
  return { ...manifest("pushRoleBinding"), subjects: allowPush.map(subjectObject) };
}

function subjectObject(subject: Subject): object {
  const apiGroup = "rbac.authorization.k8s.io";
  return subject.kind === "ServiceAccount" ? { ...subject } : { ...subject, apiGroup };
}
