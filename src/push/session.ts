import { openCluster } from "../cluster/open.ts";
import { explainForbidden } from "../cluster/access-review.ts";
import { findRegistry, repin } from "../cluster/discovery.ts";
import { networkError } from "../cluster/network-error.ts";
import type { Cluster, ClusterOptions, RegistryOptions, RegistryPod } from "../cluster/types.ts";
import { registryClient } from "../registry/client.ts";
import type { RegistryClient } from "../registry/types.ts";
import { openTunnel } from "../tunnel/pool.ts";
import type { Tunnel } from "../tunnel/types.ts";
import type { Context } from "./types.ts";

/** One cluster's registry, reached: what a push, `kpush tunnel` and the demo work with. */
export interface Session extends AsyncDisposable {
  readonly cluster: Cluster;
  /** The pod that sockets go to now. */
  readonly pod: RegistryPod;
  readonly tunnel: Tunnel;
  readonly registry: RegistryClient;
  /** Grows by one each time a lost pod was replaced: what the old one held may be gone. */
  readonly generation: number;
  /** Unused sockets to keep open while something is sent. */
  readonly spares: number;
}

/** Milliseconds that a look-up of three round trips takes at most, where the API server is near. */
const near = 120;

/**
 * Opens the cluster, finds and pins the registry pod, and opens the tunnel to it. Makes no request to
 * the registry itself.
 *
 * @throws KpushError of the kinds KUBECONFIG_*, CLUSTER_*, CREDENTIALS_FAILED and REGISTRY_*
 */
export async function openSession(
  options: ClusterOptions & RegistryOptions,
  { surroundings, report, signal }: Context,
): Promise<Session> {
  report({ type: "phase", text: "finding the registry" });
  const cluster = await openCluster(options, surroundings, report, signal);
  try {
    const asked = performance.now();
    let pod = await findRegistry(cluster, options, signal);
    const spares = performance.now() - asked > near ? 6 : 2;
    let generation = 0;
    const announce = () =>
      report({
        type: "registry",
        context: cluster.context,
        namespace: pod.namespace,
        pod: pod.name,
        pullAddress: pod.pullAddress,
      });
    announce();
    const tunnel = openTunnel({
      config: cluster.config,
      pin: async (gone) => {
        if (!gone) return pod;
        const next = await repin(cluster, pod, options, signal);
        if (next.uid === pod.uid) return pod;
        report({
          type: "warning",
          message: `the registry pod ${pod.name} is gone; going on with ${next.name}`,
        });
        generation += 1;
        pod = next;
        announce();
        return pod;
      },
      refreshCredentials: () => cluster.refreshCredentials(),
      explainForbidden: (target, status) => explainForbidden(cluster, target, status),
      explainFailure: (error) => networkError(error, cluster.server),
      report,
      signal,
    });
    // Far away each socket costs a round trip, or three on a new connection: they open while the
    // registry is asked what it holds. Near, an unchanged image should not pay for them.
    if (spares > 2) tunnel.keepSpares(spares);
    const registry = registryClient({ connect: tunnel.connect, signal, report });
    return {
      cluster,
      tunnel,
      registry,
      spares,
      get pod() {
        return pod;
      },
      get generation() {
        return generation;
      },
      async [Symbol.asyncDispose]() {
        await registry[Symbol.asyncDispose]();
        await tunnel[Symbol.asyncDispose]();
        cluster[Symbol.dispose]();
      },
    };
  } catch (error) {
    cluster[Symbol.dispose]();
    throw error;
  }
}
