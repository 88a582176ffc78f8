import { pathOf, refOf } from "../cluster/objects.ts";
import type { Cluster } from "../cluster/types.ts";
import { annotations } from "./names.ts";
import type { Installed } from "./installed.ts";

/** Not the manager of what is rendered: an apply would take away what it does not name. */
const manager = "kpush-proof";

/** Whether a proof was made of what is there now. */
export function isProved({ deployment, proxies }: Installed): boolean {
  return (
    deployment !== undefined &&
    deployment.metadata.annotations?.[annotations.proved] === stateOf({ deployment, proxies })
  );
}

/** Notes on the Deployment that what is there now was proved; without the right to it, it is not. */
export async function recordProof(
  cluster: Cluster,
  { deployment, proxies }: Pick<Installed, "deployment" | "proxies">,
  signal: AbortSignal,
): Promise<void> {
  if (!deployment) return;
  const proved = stateOf({ deployment, proxies });
  await cluster.request("PATCH", `${pathOf(refOf(deployment))}?fieldManager=${manager}`, {
    body: { metadata: { annotations: { [annotations.proved]: proved } } },
    contentType: "application/merge-patch+json",
    signal,
  });
}

/** The server counts a generation up with each change of a spec, and makes a uid for each new object. */
function stateOf({ deployment, proxies }: Pick<Installed, "deployment" | "proxies">): string {
  const of = (object = deployment) =>
    `${object?.metadata.uid ?? ""}/${object?.metadata.generation ?? 0}`;
  return proxies ? `${of(deployment)} ${of(proxies)}` : of(deployment);
}
