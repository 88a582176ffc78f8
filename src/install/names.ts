import type { InstallSettings } from "./types.ts";

/** Where kpush installs unless told otherwise. */
export const defaultNamespace = "kpush-system";

/** Where the old addon is, unless told otherwise. */
export const addonNamespace = "kube-system";

/** Names of the objects, as the manifests have them. */
export const names = {
  registry: "kpush-registry",
  registryConfig: "kpush-registry-config",
  registryData: "kpush-registry-data",
  /** Never rendered: it is made once, and its value stays. */
  httpSecret: "kpush-registry-http",
  nodeProxy: "kpush-node-proxy",
  pushRole: "kpush-push",
} as const;

/** Key of {@link names.httpSecret} that the registry takes its `http.secret` from. */
export const httpSecretKey = "secret";

/** Port of the registry's container and of its Service. */
export const registryPort = 5000;

export const labels = {
  name: "app.kubernetes.io/name",
  instance: "app.kubernetes.io/instance",
  version: "app.kubernetes.io/version",
  component: "app.kubernetes.io/component",
  partOf: "app.kubernetes.io/part-of",
  managedBy: "app.kubernetes.io/managed-by",
  podSecurity: "pod-security.kubernetes.io/enforce",
} as const;

export const annotations = {
  /** What nodes put in front of a repository. */
  pullAddress: "kpush.dev/pull-address",
  /** Uid and generation of the workloads that the last proof was made of. */
  proved: "kpush.dev/proved",
  /** When an installation that was run again had its controller try at once. */
  retried: "kpush.dev/retried",
  /** SHA-256 of the configuration that a pod started with. */
  configHash: "kpush.dev/config-hash",
} as const;

/** Labels that every object of an installation carries. */
export const ownLabels: Readonly<Record<string, string>> = {
  [labels.instance]: "kpush",
  [labels.partOf]: "kpush",
  [labels.managedBy]: "kpush",
};

/** Label selector of all that kpush made. */
export const ownSelector = `${labels.managedBy}=kpush,${labels.instance}=kpush`;

/** Label selectors of the pods. */
export const registrySelector = `${labels.name}=${names.registry},${labels.instance}=kpush`;
export const nodeProxySelector = `${labels.name}=${names.nodeProxy},${labels.instance}=kpush`;

/** Whether a namespace is the cluster's, not one that kpush may make, label or delete. */
export function isSystemNamespace(namespace: string): boolean {
  return namespace === "default" || namespace.startsWith("kube-");
}

/**
 * What nodes put in front of a repository to pull: a port of their own; without proxies the Service's
 * name, which nodes resolve and trust only where an admin has set them up for it.
 */
export function pullAddressOf({
  namespace,
  nodeAccess,
  nodePort,
}: Pick<InstallSettings, "namespace" | "nodeAccess" | "nodePort">): string {
  return nodeAccess === "none"
    ? `${names.registry}.${namespace}.svc:${registryPort}`
    : `localhost:${nodePort}`;
}
