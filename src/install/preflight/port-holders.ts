import type { KubeObject } from "../../cluster/objects.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import type { InstallSettings } from "../types.ts";

/** The node's port that an installation wants. */
export type WantedPort = Pick<InstallSettings, "nodeAccess" | "nodePort" | "ipv6">;

/**
 * The pods that have the wanted port of their node, by the scheduler's rule (HostPortInfo.CheckConflict):
 * 0.0.0.0 and an address exclude each other, two different addresses do not. Only pods that were
 * given a node and neither end nor have ended are counted.
 */
export function portHolders(pods: readonly KubeObject[], wanted: WantedPort): KubeObject[] {
  const ours = wanted.ipv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
  return pods.filter((pod) => {
    const { phase } = mapping(pod["status"]);
    const ends =
      phase === "Succeeded" || phase === "Failed" || pod.metadata.deletionTimestamp !== undefined;
    if (ends || nodeOf(pod) === undefined) return false;
    return hostPorts(pod).some(
      ({ port, ip }) =>
        port === wanted.nodePort && (ip === "" || ip === "0.0.0.0" || ours.includes(ip)),
    );
  });
}

/** Name of the node that runs a pod. */
export const nodeOf = (pod: KubeObject): string | undefined =>
  text(mapping(pod["spec"])["nodeName"]);

function hostPorts({ spec }: KubeObject): { port: unknown; ip: string }[] {
  const { containers, initContainers, hostNetwork } = mapping(spec);
  const sidecars = list(initContainers).filter((one) => mapping(one)["restartPolicy"] === "Always");
  return [...list(containers), ...sidecars]
    .flatMap((container) => list(mapping(container)["ports"]))
    .map(mapping)
    .filter(({ protocol = "TCP" }) => protocol === "TCP")
    .map(({ hostPort, containerPort, hostIP }) => ({
      port: hostPort ?? (hostNetwork === true ? containerPort : undefined),
      ip: text(hostIP) ?? "",
    }));
}
