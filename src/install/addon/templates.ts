import type { KubeObject } from "../../cluster/objects.ts";
import { list, mapping, text } from "../../cluster/values.ts";

/** Where a registry keeps its images. */
export type Store =
  | { kind: "claim"; name: string }
  /** It goes when the pod goes. */
  | { kind: "passing"; words: string }
  /** A volume without a claim, such as `hostPath`. */
  | { kind: "volume"; words: string };

/** Values of the label `k8s-app` that the old addon's registry has had. */
const registryApps = ["kube-registry", "kube-registry-upstream"];
const proxyName = "kube-registry-proxy";

/** Whether pods with these labels and this spec are the old addon's way from a node to the registry. */
export function isOldProxy(labels: unknown, spec: unknown): boolean {
  return (
    mapping(labels)["k8s-app"] === proxyName ||
    mapping(labels)["kubernetes.io/name"] === proxyName ||
    containersOf(spec).some(({ name }) => name === proxyName)
  );
}

/** Whether they are its registry; old manifests label both alike. */
export function isOldRegistry(labels: unknown, spec: unknown): boolean {
  return selectsOldRegistry(labels) && !isOldProxy(labels, spec);
}

/** Whether these labels, of a pod or in a Service's selector, are those of its registry. */
export function selectsOldRegistry(labels: unknown): boolean {
  return registryApps.includes(text(mapping(labels)["k8s-app"]) ?? "");
}

/** Labels and spec of the pods that a workload makes. */
export function templateOf({ spec }: KubeObject): {
  labels: Record<string, unknown>;
  spec: Record<string, unknown>;
} {
  const template = mapping(mapping(spec)["template"]);
  return {
    labels: mapping(mapping(template["metadata"])["labels"]),
    spec: mapping(template["spec"]),
  };
}

/** Selector of a workload's pods, as a query has it; a ReplicationController has no `matchLabels`. */
export function selectorOf({ spec }: KubeObject): string {
  const selector = mapping(mapping(spec)["selector"]);
  const pairs = Object.entries(mapping(selector["matchLabels"] ?? selector));
  return pairs.map(([key, value]) => `${key}=${text(value) ?? ""}`).join(",");
}

/** Where the registry of these pods keeps its images: on what is mounted at its root, or above it. */
export function storeOf(spec: Record<string, unknown>): Store {
  const { mounts, root } = rootOf(spec);
  const [mount] = mounts
    .filter(({ path }) => `${root}/`.startsWith(`${path.replace(/\/$/, "")}/`))
    .toSorted((one, other) => other.path.length - one.path.length);
  const volume = list(spec["volumes"])
    .map(mapping)
    .find(({ name }) => name === mount?.name);
  if (!volume) return { kind: "passing", words: "in the container itself" };
  const claim = text(mapping(volume["persistentVolumeClaim"])["claimName"]);
  if (claim !== undefined) return { kind: "claim", name: claim };
  const [kind = ""] = Object.keys(volume).filter((key) => key !== "name");
  return kind === "emptyDir"
    ? { kind: "passing", words: "on an emptyDir" }
    : { kind: "volume", words: `on a ${kind} volume without a claim` };
}

function rootOf(spec: Record<string, unknown>) {
  const containers = containersOf(spec);
  const mounts = containers.flatMap(({ volumeMounts }) =>
    list(volumeMounts)
      .map(mapping)
      .map(({ name, mountPath }) => ({ name: text(name), path: text(mountPath) ?? "" })),
  );
  const root = containers
    .flatMap(({ env }) => list(env).map(mapping))
    .find(({ name }) => name === "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY");
  return { mounts, root: text(root?.["value"]) ?? "/var/lib/registry" };
}

/** The user whom such pods run as; 0, which the registry's image has, where they do not say. */
export function userOf(spec: Record<string, unknown>): number {
  const [container] = containersOf(spec);
  const own = mapping(container?.["securityContext"])["runAsUser"];
  const user = own ?? mapping(spec["securityContext"])["runAsUser"];
  return typeof user === "number" ? user : 0;
}

/** The port of the node that such pods take; undefined where they take none. */
export function hostPortOf(spec: Record<string, unknown>): number | undefined {
  const isHost = spec["hostNetwork"] === true;
  const ports = containersOf(spec)
    .flatMap(({ ports }) => list(ports).map(mapping))
    .map(({ hostPort, containerPort }) => hostPort ?? (isHost ? containerPort : undefined));
  return ports.find((port) => typeof port === "number");
}

/** ConfigMaps of the addon's own that such pods mount; others may have other users. */
export function configMapsOf(spec: Record<string, unknown>): string[] {
  return list(spec["volumes"])
    .flatMap((volume) => text(mapping(mapping(volume)["configMap"])["name"]) ?? [])
    .filter((name) => name.startsWith("kube-registry"));
}

function containersOf(spec: unknown): Record<string, unknown>[] {
  return list(mapping(spec)["containers"]).map(mapping);
}
