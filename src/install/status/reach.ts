import { explainForbidden } from "../../cluster/access-review.ts";
import { networkError } from "../../cluster/network-error.ts";
import { registryPod } from "../../cluster/pick.ts";
import type { Pod } from "../../cluster/pods.ts";
import type { Cluster } from "../../cluster/types.ts";
import { KpushError, messageOf } from "../../errors.ts";
import type { Report } from "../../events.ts";
import { openWay } from "../../push/ways.ts";
import { registryClient } from "../../registry/client.ts";
import { problem, type Problem } from "./problems.ts";

/**
 * Asks the registry for an answer the way that pushes go.
 *
 * @param patience - milliseconds after which silence is an answer
 * @returns what was wrong
 */
export async function reach(
  cluster: Cluster,
  pod: Pod,
  { report, signal, patience }: { report: Report; signal: AbortSignal; patience: number },
): Promise<Problem[]> {
  const target = registryPod(pod, {});
  const ended = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const tunnel = openWay(cluster, target, {
    config: cluster.config,
    pin: (gone) => (gone ? Promise.reject(gone.error) : Promise.resolve(target)),
    refreshCredentials: () => cluster.refreshCredentials(),
    explainForbidden: (to, status) => explainForbidden(cluster, to, status),
    explainFailure: (error) => networkError(error, cluster.server),
    report,
    signal: ended,
  });
  const registry = registryClient({ connect: tunnel.connect, signal: ended, report });
  try {
    await registry.ping();
    return [];
  } catch (error) {
    signal.throwIfAborted();
    const silent = ended.aborted && `nothing came within ${Math.round(patience / 1000)} s`;
    const hint = error instanceof KpushError ? error.hint : undefined;
    return [problem(`no push reaches the registry: ${silent || messageOf(error)}`, hint)];
  } finally {
    await registry[Symbol.asyncDispose]();
    await tunnel[Symbol.asyncDispose]();
  }
}
