import type { KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import type { KpushError } from "../../errors.ts";
import type { Report } from "../../events.ts";
import type { InstallSettings } from "../types.ts";
import { ask, type Facts } from "./ask.ts";
import { nodeWarnings, type Warning } from "./node-warnings.ts";
import { isIpv6Only, nodeFacts, nodeTrouble, proxyNodes, type NodeFacts } from "./nodes.ts";
import { otherRegistryWarning } from "./other-registries.ts";
import { podSecurityTrouble } from "./pod-security.ts";
import { nodeOf } from "./port-holders.ts";
import { portTrouble } from "./port.ts";
import { claimTrouble, classTrouble } from "./storage.ts";

/** What was learned of the cluster before anything is changed. */
export interface Preflight {
  /** Undefined where nodes may not be listed. */
  nodes: NodeFacts[] | undefined;
  /** No node has an IPv4 address: proxies need the nodes' own network, and listen on ::1. */
  ipv6Only: boolean;
  /** As they were reported. */
  warnings: Warning[];
}

/** What the caller knows already. */
export interface Known {
  /** Objects of the installation that are there, as the server gave them. */
  live: readonly KubeObject[];
  /** The old addon's proxies go away in the course of the installation. */
  replaceAddon?: boolean | undefined;
}

/**
 * Looks, before anything is changed, for what would keep an installation from working. All is asked
 * at once; what the user may not list is passed over. Warnings are reported.
 *
 * @throws KpushError `INSTALL_REFUSED`, `CLUSTER_FAILED`, and what {@link Cluster.request} throws
 */
export async function preflight(
  cluster: Cluster,
  settings: InstallSettings,
  known: Known,
  { report, signal }: { report: Report; signal: AbortSignal },
): Promise<Preflight> {
  const facts = await ask(cluster, settings, known.live, { report, signal });
  const nodes = facts.nodes && nodeFacts(facts.nodes);
  const ipv6Only = isIpv6Only(nodes ?? []);
  const planned: InstallSettings =
    ipv6Only && settings.nodeAccess === "hostport"
      ? { ...settings, nodeAccess: "hostnetwork", ipv6: true }
      : settings;
  const trouble = troubleOf(facts, nodes, planned, known);
  if (trouble) throw trouble;

  const other = otherRegistryWarning(facts.registries, settings.namespace);
  const warnings = [...nodeWarnings(nodes ?? [], planned), ...(other ? [other] : [])];
  for (const warning of warnings) report({ type: "warning", ...warning });
  return { nodes, ipv6Only, warnings };
}

function troubleOf(
  { claim, classes, namespace, pods }: Facts,
  nodes: readonly NodeFacts[] | undefined,
  settings: InstallSettings,
  { replaceAddon }: Known,
): KpushError | undefined {
  const { storage } = settings;
  const reached = nodes && new Set(proxyNodes(nodes, settings).map(({ name }) => name));
  const onThem = pods?.filter((pod) => reached?.has(nodeOf(pod) ?? "") ?? true);
  return (
    (nodes && nodeTrouble(nodes, settings)) ??
    (storage.kind === "claim" && claim
      ? claimTrouble(claim.object, { namespace: settings.namespace, name: storage.name })
      : undefined) ??
    (storage.kind === "pvc" && classes ? classTrouble(classes, storage.storageClass) : undefined) ??
    podSecurityTrouble(namespace, settings) ??
    (onThem && portTrouble(onThem, settings, replaceAddon))
  );
}
