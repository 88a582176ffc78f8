import type { Pod } from "../../../cluster/pods.ts";
import { list, mapping, text } from "../../../cluster/values.ts";
import { plain } from "../../../image/text.ts";
import type { Cause } from "./cause.ts";
import { partTitle, type Part, type Snapshot } from "../snapshot.ts";

/** What the scheduler says, and what helps; the first that fits counts. */
const reasons: readonly { said: RegExp; hint: string }[] = [
  {
    said: /didn't have free ports/,
    hint: "kubectl get pods -A -o wide shows who may have it; --node-port NUMBER takes another",
  },
  {
    said: /Insufficient |Too many pods/,
    hint: "kubectl describe nodes shows what is left on each",
  },
  {
    said: /untolerated taint/,
    hint: "--toleration KEY[=VALUE][:EFFECT] tolerates a taint of the nodes",
  },
  { said: /were unschedulable/, hint: "kubectl get nodes; kubectl uncordon NODE" },
  {
    said: /node affinity\/selector/,
    hint: "kubectl get nodes --show-labels shows what --node-selector can name",
  },
];

/**
 * Why no node takes a pod.
 *
 * @returns undefined where it is a claim that is not bound: see {@link claimCause}
 */
export function schedulingCause(
  { namespace }: Snapshot,
  part: Part,
  pod: Pod,
  message: string,
): Cause | undefined {
  if (/unbound immediate persistentvolumeclaim/i.test(message)) return undefined;
  const { name } = pod.metadata;
  const node = nodeOfProxy(pod);
  const hint = reasons.find(({ said }) => said.test(message))?.hint;
  const where = node === undefined ? "no node takes" : `node ${node} does not take`;
  const port = /didn't have free ports/.test(message)
    ? " because another pod has their port there"
    : "";
  return {
    key: `${part} ${name} is not scheduled`,
    // An autoscaler may be adding a node; a pod that is ending may have what is lacking.
    patience: "long",
    message: `${where} ${partTitle(part)}${port}: ${plain(withoutPreemption(message), 400)}`,
    hint: hint ?? `kubectl describe pod -n ${namespace} ${name}`,
  };
}

/** What the scheduler says of making room for the pod helps nobody here. */
const withoutPreemption = (message: string): string =>
  message.replace(/,? ?(no new claims to deallocate,? ?)?(preemption: .*)?$/s, "");

/** The one node that the DaemonSet made a pod for. */
function nodeOfProxy({ spec }: Pod): string | undefined {
  const { affinity } = mapping(spec);
  const required = mapping(mapping(affinity)["nodeAffinity"])[
    "requiredDuringSchedulingIgnoredDuringExecution"
  ];
  const [term] = list(mapping(required)["nodeSelectorTerms"]);
  const [field] = list(mapping(term)["matchFields"]).map(mapping);
  const node = text(list(field?.["values"])[0]);
  return node === undefined ? undefined : plain(node, 253);
}
