import { openCluster } from "../../cluster/open.ts";
import { isPullAddress } from "../../cluster/registry-kinds.ts";
import type { ClusterOptions } from "../../cluster/types.ts";
import { mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import type { Context } from "../../push/types.ts";
import type { StatusResult } from "../../results.ts";
import { annotations } from "../names.ts";
import { gatherFacts, type Facts } from "./facts.ts";
import { findInstallation } from "./find-installation.ts";
import { mayPush } from "./may-push.ts";
import { proxyState } from "./proxy-state.ts";
import { reach } from "./reach.ts";
import { registryState } from "./registry-state.ts";
import { storageState } from "./storage-state.ts";

/**
 * Tells how the registry is that `kpush install` made: in kpush-system, kube-system or the context's
 * namespace, in this order, unless a namespace is named. Something that is wrong is no error here, but
 * one of the result's `problems`.
 *
 * @param patience - milliseconds that the registry, and who measures its volume, may take to answer
 * @throws KpushError `NOT_INSTALLED`, `CLUSTER_FORBIDDEN` where pods may not be listed, and those of
 *   a cluster that cannot be reached
 */
export async function status(
  options: ClusterOptions & { namespace?: string | undefined },
  { surroundings, report, signal }: Context,
  patience = 15_000,
): Promise<StatusResult> {
  report({ type: "phase", text: "looking at the registry" });
  using cluster = await openCluster(options, surroundings, report, signal);
  const installation = await findInstallation(cluster, options.namespace, signal);
  const facts = await gatherFacts(cluster, installation, signal);
  const { registry, ready, problems: ofPod } = registryState(facts);
  const { proxies, problems: ofProxies } = proxyState(facts);
  const [silence, { storage, problems: ofStorage }] = await Promise.all([
    ready ? reach(cluster, ready, { report, signal, patience }) : [],
    storageState(cluster, facts, ready, { signal, patience }),
  ]);
  const problems = [...ofPod, ...silence, ...ofStorage, ...ofProxies];
  return {
    context: plain(cluster.context, 200),
    namespace: facts.namespace,
    healthy: problems.length === 0,
    ...{ problems, registry, storage, proxies },
    pullAddress: pullAddressOf(facts),
    mayPush: facts.bindings && mayPush(facts.bindings),
  };
}

/** What the pods say that pushes go to; the Deployment's template says the same. */
function pullAddressOf({ deployment }: Facts): string {
  const { metadata } = mapping(mapping(deployment["spec"])["template"]);
  const address = text(mapping(mapping(metadata)["annotations"])[annotations.pullAddress]);
  return address !== undefined && isPullAddress(address) ? address : "localhost:5000";
}
