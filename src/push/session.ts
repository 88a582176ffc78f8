import { explainForbidden, mayUseProxy } from "../cluster/access-review.ts";
import { findRegistry, repin } from "../cluster/discovery.ts";
import { networkError } from "../cluster/network-error.ts";
import { nodePlatforms } from "../cluster/node-platforms.ts";
import { openCluster } from "../cluster/open.ts";
import type { Cluster, ClusterOptions, RegistryOptions, RegistryPod } from "../cluster/types.ts";
import { registryClient } from "../registry/client.ts";
import type { RegistryClient } from "../registry/types.ts";
import type { KpushError } from "../errors.ts";
import type { Tunnel, TunnelOptions, TunnelTarget } from "../tunnel/types.ts";
import { bulkBytes, openBulkWay, type BulkWay } from "./bulk-way.ts";
import { openState, type PodGuess } from "./state.ts";
import type { Context } from "./types.ts";
import { openWay } from "./ways.ts";

/** One cluster's registry, reached: what a push, `kpush tunnel` and the demo work with. */
export interface Session extends AsyncDisposable {
  readonly cluster: Cluster;
  /** The pod that sockets go to now. */
  readonly pod: RegistryPod;
  readonly tunnel: Tunnel;
  readonly registry: RegistryClient;
  /** Another way for large uploads, where there may be a quicker one. */
  readonly bulk: BulkWay | undefined;
  /** For uploads of {@link bulkBytes} and more: by that way where it serves. */
  readonly uploader: Pick<RegistryClient, "uploadBlob" | "uploadStream">;
  /** What broke the way to the registry since it was last asked for. */
  takeError(): KpushError | undefined;
  /** Of the cluster, as far as they were asked for and are told; see {@link nodePlatforms}. Never rejects. */
  readonly nodePlatforms: Promise<readonly string[] | undefined>;
  /** Grows by one each time a lost pod was replaced: what the old one held may be gone. */
  readonly generation: number;
  /** Requests that are sent at once before one waits for another's socket: near, a wait is the shorter. */
  readonly concurrency: number;
}

/** Milliseconds that a look-up of three round trips takes at most, where the API server is near. */
const near = 120;

interface SessionOptions extends ClusterOptions, RegistryOptions {
  /** Asks which platforms the nodes have. */
  asksNodes?: boolean | undefined;
}

/**
 * Opens the cluster, finds and pins the registry pod, and opens the tunnel to it. Makes no request to
 * the registry itself.
 *
 * @throws KpushError of the kinds KUBECONFIG_*, CLUSTER_*, CREDENTIALS_FAILED and REGISTRY_*
 */
export async function openSession(options: SessionOptions, context: Context): Promise<Session> {
  const { surroundings, report, signal } = context;
  report({ type: "phase", text: "finding the registry" });
  const cluster = await openCluster(options, surroundings, report, signal);
  try {
    const session = await reachRegistry(cluster, options, context);
    const closeSession = session[Symbol.asyncDispose].bind(session);
    const close = async () => {
      await closeSession();
      cluster[Symbol.dispose]();
    };
    // Its getters tell of the pod that replaced a lost one: they must not be read once and for all.
    return Object.defineProperty(session, Symbol.asyncDispose, { value: close });
  } catch (error) {
    cluster[Symbol.dispose]();
    throw error;
  }
}

/** {@link openSession} in a cluster that is open already, and stays open when the session is closed. */
export async function reachRegistry(
  cluster: Cluster,
  options: SessionOptions,
  { surroundings, report, signal }: Context,
): Promise<Session> {
  const state = openState(surroundings);
  const { namespace, selector, registryPort } = options;
  const search = JSON.stringify([
    cluster.server,
    cluster.namespace,
    namespace,
    selector,
    registryPort,
  ]);
  const asked = performance.now();
  const finding = findRegistry(cluster, options, signal);
  finding.catch(() => undefined); // awaited below
  let pod: RegistryPod | undefined;
  let generation = 0;

  const announce = ({ namespace, name, pullAddress, kind }: RegistryPod) => {
    report({ type: "registry", context: cluster.context, namespace, pod: name, pullAddress });
    report({ type: "fact", what: "registry", value: kind });
  };
  const pin = async (first: TunnelTarget, gone: unknown): Promise<TunnelTarget> => {
    if (!gone) return first;
    const current = pod ?? (await finding);
    const next = await repin(cluster, current, options, signal);
    if (next.uid === current.uid) return current;
    report({
      type: "warning",
      message: `the registry pod ${current.name} is gone; going on with ${next.name}`,
    });
    generation += 1;
    pod = next;
    announce(next);
    return next;
  };
  const optionsOf = (first: TunnelTarget): TunnelOptions => ({
    config: cluster.config,
    pin: (gone) => pin(first, gone),
    refreshCredentials: () => cluster.refreshCredentials(),
    explainForbidden: (target, status) => explainForbidden(cluster, target, status),
    explainFailure: (error) => networkError(error, cluster.server),
    report,
    signal,
  });
  const open = (first: TunnelTarget) => openWay(cluster, first, optionsOf(first));

  // The pod of the last run is most likely that of this one: a socket to it opens while it is looked
  // up, and carries nothing before the look-up has named the same pod. Inside there is nothing to open.
  const guess = cluster.inside ? undefined : await state.lastPod(search);
  const early = guess && open(guess);
  early?.keepSpares(1);
  let tunnel: Tunnel;
  try {
    pod = await finding;
    announce(pod);
    if (guess && isSame(guess, pod)) tunnel = early ?? open(pod);
    else {
      await early?.[Symbol.asyncDispose]();
      tunnel = open(pod);
      await state.rememberPod(search, pod);
    }
  } catch (error) {
    await early?.[Symbol.asyncDispose]();
    throw error;
  }
  // The connection of a list of pods is free by now: a new one would cost a push that sends nothing 2–3 ms. The
  // answer comes while the registry is asked what it holds.
  const nodes = options.asksNodes ? nodePlatforms(cluster, signal) : Promise.resolve(undefined);
  // Far away each socket costs a round trip, or three on a new connection: they open while the
  // registry is asked what it holds. Near, an unchanged image should not pay for them.
  const concurrency = performance.now() - asked > near ? 6 : 2;
  tunnel.keepSpares(concurrency > 2 ? concurrency : 0);
  const registry = registryClient({ connect: tunnel.connect, signal, report });
  const found = pod;
  // Far, the link is what holds a push, and to ask for the other way would take two more round trips.
  const bulk =
    concurrency > 2 || cluster.inside
      ? undefined
      : openBulkWay(optionsOf(found), () => mayUseProxy(cluster, found));
  const uploader = bulk
    ? registryClient({
        connect: async () => (await bulk.connect(bulkBytes)) ?? (await tunnel.connect()),
        ...{ signal, report },
      })
    : registry;
  return {
    ...{ cluster, tunnel, registry, bulk, uploader, concurrency, nodePlatforms: nodes },
    takeError: () => tunnel.takeError() ?? bulk?.takeError(),
    get pod() {
      return pod ?? found;
    },
    get generation() {
      return generation;
    },
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await uploader[Symbol.asyncDispose]();
      await bulk?.[Symbol.asyncDispose]();
      await tunnel[Symbol.asyncDispose]();
    },
  };
}

function isSame(guess: PodGuess, { namespace, name, uid, port }: RegistryPod): boolean {
  return (
    guess.namespace === namespace && guess.name === name && guess.uid === uid && guess.port === port
  );
}
