import { setTimeout as delay } from "node:timers/promises";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { forbiddenList } from "./access-review.ts";
import { pickRegistry, registryPod } from "./pick.ts";
import { listPods, type Listing } from "./pod-list.ts";
import { podTrouble } from "./pod-status.ts";
import { isReady, ownerOf, type Pod } from "./pods.ts";
import { isNodeProxy, registryKinds, usualNamespaces } from "./registry-kinds.ts";
import type { Cluster, RegistryOptions, RegistryPod } from "./types.ts";

/**
 * Finds the registry: in the first namespace, of those that are looked in, that has one.
 *
 * @throws KpushError `REGISTRY_NOT_FOUND`, `REGISTRY_AMBIGUOUS`, `REGISTRY_NOT_READY`,
 *   `CLUSTER_FORBIDDEN`, `CLUSTER_FAILED`, `USAGE`, and what {@link Cluster.request} throws
 */
export async function findRegistry(
  cluster: Cluster,
  options: RegistryOptions,
  signal: AbortSignal,
): Promise<RegistryPod> {
  checkOptions(options);
  const namespaces =
    options.namespace === undefined ? usualNamespaces(cluster.namespace) : [options.namespace];
  // All are asked at once: it costs one round trip, and the connections serve the tunnel afterwards.
  const asked = namespaces.map((namespace) => listPods(cluster, namespace, options, signal));
  for (const listing of asked) listing.catch(() => undefined);
  const listings: Listing[] = [];
  for (const listing of asked) {
    const { namespace, pods, refusal } = await listing;
    const found = pickRegistry(pods, options, namespace);
    if (found) return found;
    listings.push({ namespace, pods, refusal });
  }
  throw nothingFound(cluster, listings, options);
}

/** In milliseconds; tests make them small. */
export interface RepinTimings {
  /** Between two looks. */
  interval: number;
  /** After which no pod is waited for any longer. */
  limit: number;
}

/**
 * Finds the pod that replaced a lost one, in its namespace and of its owner, and waits for it to be
 * ready. It may be the same pod, where that is still well.
 *
 * @throws KpushError `POD_GONE` where none is ready in time, and what {@link Cluster.request} throws
 */
export async function repin(
  cluster: Cluster,
  previous: RegistryPod,
  options: RegistryOptions,
  signal: AbortSignal,
  { interval, limit }: RepinTimings = { interval: 500, limit: 60_000 },
): Promise<RegistryPod> {
  const until = performance.now() + limit;
  for (;;) {
    const { pods } = await listPods(cluster, previous.namespace, options, signal);
    const candidates = pods.filter((pod) => !isNodeProxy(pod) && replaces(pod, previous));
    const ready = candidates.filter(isReady);
    // A pod whose node is lost stays "ready" for a while: a new one goes before it.
    const pod = ready.find(({ metadata }) => metadata.uid !== previous.uid) ?? ready[0];
    if (pod) return registryPod(pod, options);
    if (performance.now() >= until) throw gone(previous, candidates, limit);
    await delay(interval, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function checkOptions({ namespace, registryPort }: RegistryOptions): void {
  if (namespace !== undefined && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) {
    throw new KpushError("USAGE", `"${plain(namespace, 100)}" is no name of a namespace`, {
      hint: "kubectl get namespaces lists them",
    });
  }
  if (
    registryPort !== undefined &&
    /^\d+$/.test(registryPort) &&
    !(Number(registryPort) >= 1 && Number(registryPort) <= 65535)
  ) {
    throw new KpushError("USAGE", `${plain(registryPort, 20)} is no port`, {
      hint: "ports are 1 to 65535, or a container port's name",
    });
  }
}

function nothingFound(
  cluster: Cluster,
  listings: readonly Listing[],
  { selector, namespace }: RegistryOptions,
): KpushError {
  const refused = listings.filter(({ refusal }) => refusal !== undefined);
  const [first] = refused;
  if (first && refused.length === listings.length)
    return forbiddenList(cluster, first.namespace, first.refusal ?? "");
  const looked = listings.filter(({ refusal }) => refusal === undefined);
  const proxies = looked.reduce((sum, { pods }) => sum + pods.length, 0);
  const labels =
    selector ?? registryKinds.map(({ label, value }) => `${label}=${value}`).join(" or ");
  const parts = [
    `there is no registry in context ${plain(cluster.context, 200)}: no pod with the label ${plain(labels, 300)} in ${names(looked)}`,
    ...(proxies > 0 ? [`${proxies} with it are node proxies, which are no registries`] : []),
    ...(refused.length > 0 ? [`${names(refused)} may not be looked into`] : []),
  ];
  const elsewhere =
    namespace === undefined
      ? "if it is elsewhere: -n NAMESPACE, -l LABEL=VALUE"
      : "without -n the usual namespaces are looked in";
  return new KpushError("REGISTRY_NOT_FOUND", parts.join("; "), {
    hint: `kpush install sets one up; ${elsewhere}`,
  });
}

function names(listings: readonly Listing[]): string {
  const all = listings.map(({ namespace }) => namespace);
  return `${all.length === 1 ? "namespace" : "namespaces"} ${all.join(", ")}`;
}

/** A pod without an owner is replaced, if at all, by any other under the same label. */
function replaces(pod: Pod, { owner, uid }: RegistryPod): boolean {
  return (
    pod.metadata.uid === uid ||
    owner === undefined ||
    owner.startsWith("Pod/") ||
    ownerOf(pod) === owner
  );
}

function gone(previous: RegistryPod, candidates: readonly Pod[], limit: number): KpushError {
  const [next] = candidates.filter(({ metadata }) => metadata.uid !== previous.uid);
  const where = `${previous.namespace}/${previous.name}`;
  const seconds = Math.round(limit / 1000);
  const why = next
    ? `its replacement ${next.metadata.name} ${podTrouble(next).why}`
    : "nothing replaced it";
  return new KpushError(
    "POD_GONE",
    `the registry pod ${where} is gone, and within ${seconds} s ${why}`,
    {
      hint: next ? podTrouble(next).hint : `kubectl get pods -n ${previous.namespace}`,
    },
  );
}
