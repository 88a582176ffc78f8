import { mergePatch } from "../cluster/object-writes.ts";
import type { Cluster } from "../cluster/types.ts";
import { annotations } from "./names.ts";
import type { Installed } from "./installed.ts";

/** Not the manager of what is rendered: an apply would take away what it does not name. */
const manager = "kpush-proof";

/** Whether a proof was made of what is there now. */
export function isProved(installed: Installed): boolean {
  const proved = installed.config?.metadata.annotations?.[annotations.proved];
  return installed.deployment !== undefined && proved === stateOf(installed);
}

/**
 * Notes on the registry's ConfigMap that what is there now was proved; without the right to it, it is
 * not. On the Deployment itself it would count as a change of that.
 */
export async function recordProof(
  cluster: Cluster,
  installed: Installed,
  signal: AbortSignal,
): Promise<void> {
  const { config } = installed;
  if (!config) return;
  const note = { metadata: { annotations: { [annotations.proved]: stateOf(installed) } } };
  await mergePatch(cluster, config, note, { manager, signal });
}

/** The server counts a generation up with each change of a workload, and makes a uid for each new one. */
function stateOf({ deployment, proxies }: Installed): string {
  const workloads = [deployment, proxies].filter((workload) => workload !== undefined);
  return workloads
    .map(({ metadata: { uid = "", generation = 0 } }) => `${uid}/${generation}`)
    .join(" ");
}
