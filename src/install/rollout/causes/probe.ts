import type { ContainerStatus, Pod } from "../../../cluster/pods.ts";
import { plain } from "../../../image/text.ts";
import type { Cause } from "./cause.ts";
import { eventsOf, partTitle, type Part, type Snapshot } from "../snapshot.ts";

const unreached = /connection refused|i\/o timeout|deadline exceeded|no route to host/;

/**
 * That a container runs and its probe fails. A node proxy is probed from its node, by way of the port
 * that the network plug-in is to give it.
 */
export function probeCause(
  { namespace, details }: Snapshot,
  part: Part,
  pod: Pod,
  { name, ready, state }: ContainerStatus,
): Cause | undefined {
  if (!state?.running || ready === true) return undefined;
  const failed = eventsOf(details?.events ?? [], pod.metadata.uid, ["Unhealthy"]).at(-1);
  if (failed === undefined) return undefined;
  const node = plain(pod.spec.nodeName ?? "?", 253);
  const isCutOff = part === "proxies" && unreached.test(failed);
  return {
    key: `${part} ${pod.metadata.name} ${name} probe`,
    patience: isCutOff ? "short" : "long",
    message: isCutOff
      ? `node ${node} does not reach its own node proxy, so its network plug-in may have no hostPort (portmap): ${plain(failed, 300)}`
      : `${partTitle(part)} ${part === "registry" ? "does" : "do"} not become ready on ${node}: ${plain(failed, 300)}`,
    hint: isCutOff
      ? "--node-access hostnetwork needs no hostPort"
      : `kubectl logs -n ${namespace} ${pod.metadata.name} -c ${plain(name, 63)}`,
  };
}
