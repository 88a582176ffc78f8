import type { KubeObject } from "../../cluster/objects.ts";
import { list, mapping, text } from "../../cluster/values.ts";

/** The nodes that a proof goes to. */
export interface NodeChoice {
  nodes: string[];
  /** Of these nodes, each once, as Go calls them. */
  architectures: string[];
  /** Nodes that should have the image too, but cannot be asked now. */
  notReady: string[];
}

/**
 * Chooses the nodes of a proof: ready ones, of Linux, and of these the ones with a node proxy where
 * there are any.
 *
 * @param proxied - names of the nodes that have a node proxy; undefined where there are no proxies
 * @param wanted - how many; they are spread over the list, those that take new pods first
 */
export function chooseNodes(
  nodes: readonly KubeObject[],
  proxied: ReadonlySet<string> | undefined,
  wanted: number | "all",
): NodeChoice {
  const fitting = nodes.filter(
    (node) => isLinux(node) && (proxied?.has(node.metadata.name) ?? !isVirtual(node)),
  );
  const ready = fitting.filter(isReady);
  const ordered = [...ready.filter(isSchedulable), ...ready.filter((node) => !isSchedulable(node))];
  const number = wanted === "all" ? ordered.length : Math.min(wanted, ordered.length);
  const pool = ordered.slice(0, Math.max(number, ready.filter(isSchedulable).length));
  const chosen = spread(pool, number);
  return {
    nodes: chosen.map(({ metadata }) => metadata.name),
    architectures: [...new Set(chosen.map(architectureOf))],
    notReady: fitting.filter((node) => !isReady(node)).map(({ metadata }) => metadata.name),
  };
}

/** So many of a list, evenly: neighbours often share a rack or a pool. */
function spread<T>(all: readonly T[], number: number): T[] {
  return all.filter(
    (_, at) =>
      Math.floor((at * number) / all.length) !== Math.floor(((at - 1) * number) / all.length),
  );
}

/** Whether the kubelet answers. */
export function isReady(node: KubeObject): boolean {
  return list(mapping(node["status"])["conditions"]).some((condition) => {
    const { type, status } = mapping(condition);
    return type === "Ready" && status === "True";
  });
}

/** Whether the node takes new pods; false for a cordoned one. */
export function isSchedulable(node: KubeObject): boolean {
  return mapping(node["spec"])["unschedulable"] !== true;
}

/** Whether the node runs Linux; one that does not say does. */
export function isLinux({ metadata, status }: KubeObject): boolean {
  const info = mapping(mapping(status)["nodeInfo"]);
  const os = metadata.labels?.["kubernetes.io/os"] ?? text(info["operatingSystem"]) ?? "linux";
  return os === "linux";
}

/** Nodes of virtual kubelets pull for themselves, elsewhere. */
function isVirtual({ metadata }: KubeObject): boolean {
  return metadata.labels?.["type"] === "virtual-kubelet";
}

function architectureOf({ metadata, status }: KubeObject): string {
  const info = mapping(mapping(status)["nodeInfo"]);
  return text(info["architecture"]) ?? metadata.labels?.["kubernetes.io/arch"] ?? "amd64";
}
