import type { KubeObject } from "../../cluster/objects.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { InstallSettings } from "../types.ts";

/** What an installation needs to know of a node. */
export interface NodeFacts {
  name: string;
  /** As the kubelet tells it: `containerd://2.1.9`. */
  runtime: string;
  /** Not cordoned. */
  schedulable: boolean;
  linux: boolean;
  /** IP addresses inside the cluster. */
  addresses: string[];
  labels: Record<string, string>;
}

/** Reads nodes as the API server lists them. */
export function nodeFacts(nodes: readonly KubeObject[]): NodeFacts[] {
  return nodes.map(({ metadata, spec, status }) => {
    const { nodeInfo, addresses } = mapping(status);
    const { containerRuntimeVersion, operatingSystem } = mapping(nodeInfo);
    const labels = metadata.labels ?? {};
    return {
      name: metadata.name,
      runtime: plain(text(containerRuntimeVersion) ?? "", 100),
      schedulable: mapping(spec)["unschedulable"] !== true,
      linux: (text(operatingSystem) ?? labels["kubernetes.io/os"] ?? "linux") === "linux",
      addresses: list(addresses)
        .map(mapping)
        .filter(({ type }) => type === "InternalIP")
        .flatMap(({ address }) => text(address) ?? []),
      labels,
    };
  });
}

/** The nodes that a node proxy is meant for: Linux, and picked by the node selector. */
export function proxyNodes(
  nodes: readonly NodeFacts[],
  { nodeSelector }: Pick<InstallSettings, "nodeSelector">,
): NodeFacts[] {
  const wanted = Object.entries(nodeSelector);
  return nodes.filter(
    ({ linux, labels }) => linux && wanted.every(([key, value]) => labels[key] === value),
  );
}

/** Whether no node can be reached by IPv4; false where nothing is known of their addresses. */
export function isIpv6Only(nodes: readonly NodeFacts[]): boolean {
  const addresses = nodes.filter(({ linux }) => linux).flatMap((node) => node.addresses);
  return addresses.length > 0 && addresses.every((address) => address.includes(":"));
}

/**
 * Why no node would run what is to be installed, where it is to run on nodes.
 *
 * @returns the `INSTALL_REFUSED` to throw
 */
export function nodeTrouble(
  nodes: readonly NodeFacts[],
  settings: Pick<InstallSettings, "nodeAccess" | "nodeSelector">,
): KpushError | undefined {
  if (settings.nodeAccess === "none") return undefined;
  const refused = (message: string, hint: string) =>
    new KpushError("INSTALL_REFUSED", message, { hint });
  if (nodes.length === 0)
    return refused(
      "the cluster has no nodes yet: nothing would run the registry",
      "kubectl get nodes shows when one has joined",
    );
  if (!nodes.some(({ linux }) => linux))
    return refused(
      `the cluster has no Linux node (there are ${names(nodes)}): registry and node proxies are Linux programs`,
      "add a Linux node, then run kpush install again",
    );
  const fitting = proxyNodes(nodes, settings);
  if (fitting.length === 0)
    return refused(
      `no node has the labels ${selectorText(settings.nodeSelector)}`,
      "kubectl get nodes --show-labels shows what --node-selector can name",
    );
  if (!fitting.some(({ schedulable }) => schedulable))
    return refused(
      `all nodes are cordoned (${names(fitting)}): no node takes the registry`,
      `kubectl uncordon ${plain(fitting[0]?.name ?? "", 253)} makes one schedulable`,
    );
  return undefined;
}

/** Names of nodes for a message; the first few where there are many. */
export function names(nodes: readonly { name: string }[]): string {
  const shown = nodes.slice(0, 5).map(({ name }) => plain(name, 253));
  const more = nodes.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

const selectorText = (selector: Readonly<Record<string, string>>): string =>
  Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
