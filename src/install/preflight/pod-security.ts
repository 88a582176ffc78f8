import { fieldManager } from "../../cluster/object-writes.ts";
import type { KubeObject } from "../../cluster/objects.ts";
import { list, mapping } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import { labels } from "../names.ts";
import type { InstallSettings } from "../types.ts";

const enforceLabel = labels.podSecurity;

/** The command that lets a namespace have what Pod Security would refuse. */
export const allowCommand = (namespace: string): string =>
  `kubectl label --overwrite namespace ${namespace} ${enforceLabel}=privileged`;

/**
 * Why Pod Security would refuse the pods: a port of the node and its network are more than `baseline`
 * has, and root is more than `restricted` has. A label that kpush set is no trouble: it sets it anew.
 *
 * @param namespace - as it is; undefined where it is not there or may not be read
 * @returns the `INSTALL_REFUSED` to throw
 */
export function podSecurityTrouble(
  namespace: KubeObject | undefined,
  settings: Pick<InstallSettings, "nodeAccess" | "runAsUser" | "makesNamespace" | "nodePort">,
): KpushError | undefined {
  const level = namespace?.metadata.labels?.[enforceLabel];
  if (!namespace || (level !== "baseline" && level !== "restricted")) return undefined;
  if (settings.makesNamespace && isOurs(namespace)) return undefined;
  const wanted = refusedParts(settings, level);
  if (wanted === undefined) return undefined;
  const { name } = namespace.metadata;
  return new KpushError(
    "INSTALL_REFUSED",
    `namespace ${plain(name, 253)} has the label ${enforceLabel}=${level}, which refuses ${wanted}`,
    { hint: `${allowCommand(plain(name, 253))}; ${otherWay(settings)}` },
  );
}

function refusedParts(
  { nodeAccess, nodePort, runAsUser }: Parameters<typeof podSecurityTrouble>[1],
  level: string,
): string | undefined {
  if (nodeAccess === "hostport") return `the node proxies their hostPort ${nodePort}`;
  if (nodeAccess === "hostnetwork") return "the node proxies the nodes' network (hostNetwork)";
  return level === "restricted" && runAsUser === 0 ? "a registry that runs as root" : undefined;
}

const otherWay = ({ nodeAccess }: Pick<InstallSettings, "nodeAccess">): string =>
  nodeAccess === "none"
    ? "or run it as another user with --run-as-user"
    : "or install with -n kube-system, or without node proxies (--node-access none)";

/** Whether the label is what an earlier `kpush install` applied. */
function isOurs({ metadata }: KubeObject): boolean {
  return list(metadata["managedFields"]).some((entry) => {
    const { manager, fieldsV1 } = mapping(entry);
    const labels = mapping(mapping(mapping(fieldsV1)["f:metadata"])["f:labels"]);
    return manager === fieldManager && `f:${enforceLabel}` in labels;
  });
}
