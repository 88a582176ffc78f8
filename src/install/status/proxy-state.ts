import type { KubeObject } from "../../cluster/objects.ts";
import { podTrouble } from "../../cluster/pod-status.ts";
import { isReady, type Pod } from "../../cluster/pods.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import type { StatusResult } from "../../results.ts";
import { names } from "../names.ts";
import { isLinux, isReady as isNodeReady, isSchedulable } from "../prove/choose-nodes.ts";
import type { Facts } from "./facts.ts";
import { problem, type Problem } from "./problems.ts";

type Proxies = NonNullable<StatusResult["proxies"]>;

/** The proxies by node, and what is wrong with them. A node that is not ready is no fault of theirs. */
export function proxyState(facts: Facts): { proxies: Proxies | undefined; problems: Problem[] } {
  const { daemonSet, proxyPods, nodes, namespace } = facts;
  if (!daemonSet && proxyPods.length === 0) return { proxies: undefined, problems: [] };
  const down = new Set(nodes?.filter((node) => !isNodeReady(node)).map(nameOf));
  const byNode = podsByNode(proxyPods);
  const proxies: Proxies = [...byNode].map(([node, pod]) => {
    if (isReady(pod) && !down.has(node)) return { node, ready: true };
    const why = down.has(node) ? "the node is not ready" : `its proxy ${podTrouble(pod).why}`;
    return { node, ready: false, problem: why };
  });
  for (const node of (nodes ?? []).filter((one) => isMeant(one, daemonSet)).map(nameOf)) {
    if (!byNode.has(node) && !down.has(node))
      proxies.push({ node, ready: false, problem: "it has no proxy" });
  }
  proxies.sort((one, other) => (one.node < other.node ? -1 : 1));
  const wrong = proxies.filter(({ node, ready }) => !ready && !down.has(node));
  const describe = `kubectl describe -n ${namespace} daemonset/${names.nodeProxy}`;
  const problems = wrong.slice(0, 1).map(({ node, problem: why = "" }) => {
    const [pod] = [byNode.get(node)].filter((one) => one !== undefined);
    const others = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : "";
    const message = `node ${node} cannot pull: ${why}${others}`;
    return problem(message, pod ? podTrouble(pod).hint : describe);
  });
  if (nodes === undefined && problems.length === 0) problems.push(...unseen(facts, byNode.size));
  return { proxies, problems };
}

const nameOf = ({ metadata }: KubeObject): string => plain(metadata.name, 253);

/** One pod for each node: the ready one, where an old one is on its way out. */
function podsByNode(pods: readonly Pod[]): Map<string, Pod> {
  const found = new Map<string, Pod>();
  for (const pod of pods) {
    const node = plain(pod.spec.nodeName ?? intendedNode(pod) ?? "", 253);
    const known = found.get(node);
    if (node !== "" && !(known && isReady(known))) found.set(node, pod);
  }
  return found;
}

/** A DaemonSet's pod names its node by an affinity before it is placed there. */
function intendedNode({ spec }: Pod): string | undefined {
  const { affinity } = mapping(spec);
  const required = mapping(mapping(affinity)["nodeAffinity"])[
    "requiredDuringSchedulingIgnoredDuringExecution"
  ];
  const fields = list(mapping(required)["nodeSelectorTerms"]).flatMap((term) =>
    list(mapping(term)["matchFields"]).map(mapping),
  );
  const byName = fields.find(({ key }) => key === "metadata.name");
  return text(list(byName?.["values"])[0]);
}

/** Whether a proxy is to run there, as far as that is sure: what is tainted may be left out on purpose. */
function isMeant(node: KubeObject, daemonSet: KubeObject | undefined): boolean {
  const { template } = mapping(daemonSet?.["spec"]);
  const { nodeSelector, tolerations } = mapping(mapping(template)["spec"]);
  const selected = Object.entries(mapping(nodeSelector)).every(
    ([key, value]) => node.metadata.labels?.[key] === value,
  );
  const toleratesAll = list(tolerations)
    .map(mapping)
    .some(({ key, effect, operator }) => !key && !effect && operator === "Exists");
  const taints = list(mapping(node["spec"])["taints"]).map(mapping);
  const tainted = taints.some(({ effect }) => effect !== "PreferNoSchedule");
  return isLinux(node) && isSchedulable(node) && selected && (toleratesAll || !tainted);
}

/** Without the nodes, the DaemonSet's own count tells of those that have no pod. */
function unseen({ daemonSet, namespace }: Facts, seen: number): Problem[] {
  const wanted = Number(mapping(daemonSet?.["status"])["desiredNumberScheduled"] ?? 0);
  if (!(wanted > seen)) return [];
  const message = `${wanted - seen} of ${wanted} nodes have no proxy`;
  return [problem(message, `kubectl describe -n ${namespace} daemonset/${names.nodeProxy}`)];
}
