import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { podTrouble } from "./pod-status.ts";
import { isReady, isRunning, ownerOf, type Pod } from "./pods.ts";
import { isNodeProxy, kindOf, pullAddressOf, selectedKind } from "./registry-kinds.ts";
import type { RegistryOptions, RegistryPod } from "./types.ts";

/**
 * Picks the registry among the pods that one namespace has under the labels looked for: the oldest
 * that is ready, of the one owner that they all have.
 *
 * @returns undefined where none of them is a registry
 * @throws KpushError `REGISTRY_AMBIGUOUS` for two owners, `REGISTRY_NOT_READY` where none is ready,
 *   `REGISTRY_NOT_FOUND` for a port name that the pod does not have
 */
export function pickRegistry(
  pods: readonly Pod[],
  options: RegistryOptions,
  namespace: string,
): RegistryPod | undefined {
  const candidates = pods.filter((pod) => !isNodeProxy(pod));
  if (candidates.length === 0) return undefined;
  // What has ended, or is about to, is the past of a registry, not a second one.
  const staying = candidates.filter((pod) => !isEnding(pod));
  const owners = new Map(
    (staying.length > 0 ? staying : candidates).map((pod) => [ownerOf(pod), pod]),
  );
  if (owners.size > 1 && staying.length > 0) throw ambiguous(owners, namespace, options);
  const isUsable = options.unready === true ? isRunning : isReady;
  const [chosen] = staying.filter(isUsable).sort(byAge);
  if (!chosen) throw notReady(staying.length > 0 ? staying : candidates);
  return registryPod(chosen, options);
}

/** What a push is pinned to, of a pod that was picked. */
export function registryPod(pod: Pod, { selector, registryPort }: RegistryOptions): RegistryPod {
  const row = (selector === undefined ? kindOf(pod) : undefined) ?? {
    ...selectedKind,
    ...kindDefaults(pod),
  };
  const { name, namespace, uid } = pod.metadata;
  const { podIP: ip } = pod.status;
  return {
    namespace,
    name,
    uid,
    ...(ip && { ip }),
    port:
      registryPort === undefined
        ? usualPort(pod, row.portName, row.port)
        : wantedPort(pod, registryPort),
    pullAddress: pullAddressOf(pod, row.pullAddress),
    kind: selector === undefined ? row.kind : "selector",
    owner: ownerOf(pod),
  };
}

/** A selector may well choose among registries of known kinds: their ports and addresses still hold. */
function kindDefaults(pod: Pod): Partial<typeof selectedKind> {
  const known = kindOf(pod);
  return known
    ? { portName: known.portName, port: known.port, pullAddress: known.pullAddress }
    : {};
}

interface Port {
  name?: string;
  containerPort: number;
}

const portsOf = ({ spec }: Pod): Port[] =>
  spec.containers
    .flatMap(({ ports }) => ports ?? [])
    .filter(({ protocol = "TCP" }) => protocol === "TCP");

/** The port of that name, else the one of that number, else the only one there is. */
function usualPort(pod: Pod, name: string, number: number): number {
  const ports = portsOf(pod);
  const named = ports.find((port) => port.name === name);
  if (named) return named.containerPort;
  const [only] = ports;
  if (ports.length === 1 && only) return only.containerPort;
  return number;
}

function wantedPort(pod: Pod, wanted: string): number {
  if (/^\d+$/.test(wanted)) return Number(wanted); // it need not be declared
  const ports = portsOf(pod);
  const named = ports.find((port) => port.name === wanted);
  if (named) return named.containerPort;
  const has = ports.map(({ name, containerPort }) =>
    name === undefined ? String(containerPort) : `${plain(name, 63)} (${containerPort})`,
  );
  throw new KpushError(
    "REGISTRY_NOT_FOUND",
    `pod ${pod.metadata.namespace}/${pod.metadata.name} has no container port "${plain(wanted, 63)}"; it has ${has.join(", ") || "none"}`,
    {
      hint: "give --registry-port a number or one of these names",
    },
  );
}

function ambiguous(
  owners: ReadonlyMap<string, Pod>,
  namespace: string,
  { selector }: RegistryOptions,
): KpushError {
  const list = [...owners].map(
    ([owner, pod]) => `${plain(owner, 300)} (pod ${pod.metadata.name}, ${labelsOf(pod)})`,
  );
  const [first] = owners.values();
  return new KpushError(
    "REGISTRY_AMBIGUOUS",
    `namespace ${namespace} has ${owners.size} registries: ${list.join("; ")}`,
    {
      hint:
        selector === undefined && first
          ? `choose one by its labels: -l ${labelsOf(first)}; or another namespace: -n NAMESPACE`
          : "narrow the selector: -l LABEL=VALUE,…",
    },
  );
}

/** Labels that a person would choose by: not those that change with each rollout. */
function labelsOf({ metadata }: Pod): string {
  const labels = Object.entries(metadata.labels ?? {}).filter(
    ([key]) => !/hash|revision|kubernetes\.io\/(part-of|managed-by)/.test(key),
  );
  return plain(
    labels
      .slice(0, 4)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    300,
  );
}

function notReady(pods: readonly Pod[]): KpushError {
  const [pod] = [...pods].sort(byAge).reverse(); // the newest has the news
  if (!pod) throw new Error("no pod to explain");
  const { namespace, name } = pod.metadata;
  const { why, hint } = podTrouble(pod);
  const others = pods.length > 1 ? ` (and ${pods.length - 1} more are not ready)` : "";
  return new KpushError(
    "REGISTRY_NOT_READY",
    `the registry is not ready: pod ${namespace}/${name} ${why}${others}`,
    { hint },
  );
}

const isEnding = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined ||
  status.phase === "Failed" ||
  status.phase === "Succeeded";

/** Oldest first; names decide where two are of one second, so that all pushes choose the same. */
function byAge({ metadata: one }: Pod, { metadata: other }: Pod): number {
  const [a, b] = [one.creationTimestamp ?? "", other.creationTimestamp ?? ""];
  if (a !== b) return a < b ? -1 : 1;
  return one.name < other.name ? -1 : 1;
}
