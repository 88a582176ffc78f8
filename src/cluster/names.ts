import { loadKubeconfig } from "./kubeconfig/load.ts";
import { openCluster } from "./open.ts";
import type { ClusterOptions, Surroundings } from "./types.ts";
import { list, mapping, text } from "./values.ts";

/**
 * Names of the contexts in the merged kubeconfig; no cluster is asked.
 *
 * @throws KpushError `KUBECONFIG_*`
 */
export async function contextNames(
  { kubeconfig }: ClusterOptions,
  surroundings: Surroundings,
): Promise<string[]> {
  return [...(await loadKubeconfig(kubeconfig, surroundings)).contexts.keys()];
}

/**
 * Names of the cluster's namespaces; none where they may not be listed.
 *
 * @throws KpushError of {@link openCluster} and of the request
 */
export async function namespaceNames(
  options: ClusterOptions,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<string[]> {
  using cluster = await openCluster(options, surroundings, () => undefined, signal);
  const { json } = await cluster.request("GET", "/api/v1/namespaces?limit=1000", { signal });
  return list(mapping(json)["items"]).flatMap((item) => {
    const name = text(mapping(mapping(item)["metadata"])["name"]);
    return name === undefined ? [] : [name];
  });
}
