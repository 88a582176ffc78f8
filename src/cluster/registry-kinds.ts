import type { Pod } from "./pods.ts";

/** One kind of registry that kpush knows: a row of the table that discovery works from. */
export interface RegistryKind {
  /** Key of the row. */
  kind: string;
  /** The label its pods carry. */
  label: string;
  value: string;
  /** Where it is not looked for without `-n`; each further request is a TLS handshake of 2–3 ms. */
  neverIn?: readonly string[];
  /** Container port: by name, and by number where no port has this name. */
  portName: string;
  port: number;
  /** What nodes pull by, unless the pod's annotation {@link pullAddressOf} says otherwise. */
  pullAddress: string;
}

/** Set on the pod template by whoever knows what nodes put in front of a repository. */
const pullAddressAnnotation = "kpush.dev/pull-address";

/** The namespace that `kpush install` makes for its registry alone. */
const ownNamespace = "kpush-system";

const oldAddon = {
  label: "k8s-app",
  neverIn: [ownNamespace],
  portName: "registry",
  port: 5000,
  pullAddress: "localhost:5000",
};

/** In order of precedence for a pod with the labels of two. */
export const registryKinds: readonly RegistryKind[] = [
  {
    kind: "kpush",
    label: "app.kubernetes.io/name",
    value: "kpush-registry",
    portName: "http",
    port: 5000,
    pullAddress: "localhost:5000",
  },
  { kind: "kube-registry", value: "kube-registry", ...oldAddon },
  { kind: "kube-registry-upstream", value: "kube-registry-upstream", ...oldAddon },
];

/** What a registry that the user names by a selector is taken for, as far as nothing else is known. */
export const selectedKind: Omit<RegistryKind, "label" | "value"> = {
  kind: "selector",
  portName: "registry",
  port: 5000,
  pullAddress: "localhost:5000",
};

/**
 * Where a registry is looked for without `-n`, in this order: kpush's own namespace, the old addon's,
 * the user's. Nowhere else, as anyone who may run a pod may give it these labels.
 */
export const usualNamespaces = (own: string): string[] => [
  ...new Set([ownNamespace, "kube-system", own]),
];

/** The rows that are looked for in one of the usual namespaces. */
export const kindsIn = (namespace: string): RegistryKind[] =>
  registryKinds.filter(({ neverIn }) => !neverIn?.includes(namespace));

/** Label selectors that together find the pods of all rows: one for each label key. */
export function selectorsOf(kinds: readonly RegistryKind[]): string[] {
  const keys = [...new Set(kinds.map(({ label }) => label))];
  return keys.map((key) => {
    const values = kinds.filter(({ label }) => label === key).map(({ value }) => value);
    return values.length === 1 ? `${key}=${values[0] ?? ""}` : `${key} in (${values.join(",")})`;
  });
}

/** The row that a pod belongs to. */
export function kindOf({ metadata }: Pod): RegistryKind | undefined {
  return registryKinds.find(({ label, value }) => metadata.labels?.[label] === value);
}

/**
 * Whether a pod only passes requests on from a node: it may carry the registry's label in old
 * manifests, and a push into it would go astray.
 */
export function isNodeProxy({ metadata, spec }: Pod): boolean {
  return (
    (metadata.ownerReferences?.some(({ kind }) => kind === "DaemonSet") ?? false) ||
    spec.containers.some(({ name }) => name === "kube-registry-proxy")
  );
}

/** The address that nodes pull by; an annotation that is no address does not count. */
export function pullAddressOf({ metadata }: Pod, otherwise: string): string {
  const address = metadata.annotations?.[pullAddressAnnotation];
  return address !== undefined && isPullAddress(address) ? address : otherwise;
}

/** `host`, `host:port`, `[::1]:port`, each perhaps with a path in front of the repositories. */
export const isPullAddress = (address: string): boolean =>
  address.length <= 255 &&
  /^(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/i.test(
    address,
  );
