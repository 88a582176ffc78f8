import type { Cluster } from "../../cluster/types.ts";
import { KpushError, type ErrorCode } from "../../errors.ts";
import { reachRegistry } from "../../push/session.ts";
import type { Context } from "../../push/types.ts";
import type { Addon } from "./find.ts";
import { selectorOf } from "./templates.ts";
import { findWitness, type Evidence } from "./witness.ts";

/** It does not run, or not so that it could be asked: the new one may do better. */
const silent = new Set<ErrorCode>([
  ...(["REGISTRY_NOT_FOUND", "REGISTRY_NOT_READY", "REGISTRY_TLS"] as const),
  ...(["REGISTRY_UNHEALTHY", "POD_GONE", "TUNNEL_FAILED"] as const),
]);

/**
 * An image of the old registry that the new one will have to serve: asked of itself while it runs, else
 * as an earlier run noted it.
 *
 * @throws KpushError of {@link reachRegistry} and {@link findWitness}, unless it only does not run
 */
export async function askOldRegistry(
  cluster: Cluster,
  { workload, namespace, memory, store }: Addon,
  context: Context,
): Promise<Evidence> {
  if (!workload || store?.kind === "passing") return "none";
  const { replicas } = workload["spec"] as { replicas?: number };
  if (replicas === 0) return memory.witness;
  const { report } = context;
  const quiet: Context["report"] = (event) => {
    if (event.type !== "registry") report(event);
  };
  try {
    const search = { namespace, selector: selectorOf(workload) };
    await using session = await reachRegistry(cluster, search, { ...context, report: quiet });
    return (await findWitness(session.registry)) ?? "none";
  } catch (error) {
    if (!(error instanceof KpushError && silent.has(error.code))) throw error;
    report({ type: "debug", message: `the old registry cannot be asked: ${error.message}` });
    return memory.witness;
  }
}
