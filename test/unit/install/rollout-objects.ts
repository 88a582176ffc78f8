import type { KubeObject } from "../../../src/cluster/objects.ts";
import type { ContainerStatus, Pod } from "../../../src/cluster/pods.ts";
import type { Details, Snapshot } from "../../../src/install/rollout/snapshot.ts";

const namespace = "kpush-system";
const generation = { "deprecated.daemonset.template.generation": "1" };
const revision = { "deployment.kubernetes.io/revision": "1" };

/** kpush's Deployment with this status, seen by its controller. */
export const deployment = (status: object, spec: object = {}): KubeObject => ({
  ...{ apiVersion: "apps/v1", kind: "Deployment" },
  metadata: { name: "kpush-registry", namespace, uid: "d", generation: 2, annotations: revision },
  spec: {
    replicas: 1,
    template: { spec: { volumes: [{ persistentVolumeClaim: { claimName: "data" } }] } },
    ...spec,
  },
  status: { observedGeneration: 2, ...status },
});

export const isRolledOut = { replicas: 1, updatedReplicas: 1, availableReplicas: 1 };

/** kpush's DaemonSet with this status, seen by its controller. */
export const daemonSet = (status: object): KubeObject => ({
  ...{ apiVersion: "apps/v1", kind: "DaemonSet" },
  metadata: {
    name: "kpush-node-proxy",
    namespace,
    uid: "n",
    generation: 2,
    annotations: generation,
  },
  status: { observedGeneration: 2, ...status },
});

export const onNodes = (desired: number, updated: number, available: number) => ({
  ...{ desiredNumberScheduled: desired, currentNumberScheduled: desired },
  ...{ updatedNumberScheduled: updated, numberAvailable: available },
});

/** The ReplicaSet of {@link deployment}; `lacks` tells that it has no pod yet. */
export const replicaSet = (lacks = false): KubeObject => ({
  ...{ apiVersion: "apps/v1", kind: "ReplicaSet" },
  metadata: {
    ...{ name: "kpush-registry-1", namespace, uid: "r", annotations: revision },
    ownerReferences: [{ uid: "d" }],
  },
  spec: { replicas: 1 },
  status: { replicas: lacks ? 0 : 1 },
});

export interface PodLook {
  container?: Partial<ContainerStatus>;
  unscheduled?: string;
  /** Volumes and network are there. */
  sandbox?: boolean;
  labels?: Record<string, string>;
  affinity?: object;
  phase?: string;
}

/** A pod of the registry (owner `r`) or of the proxies (owner `n`). */
export function rolloutPod(owner: string, look: PodLook = {}): Pod {
  const name = owner === "n" ? "proxy-1" : "registry-1";
  const image = owner === "n" ? "haproxy:9" : "registry:9";
  const { container, unscheduled, sandbox = false, labels = {}, affinity } = look;
  const conditions = [
    unscheduled === undefined
      ? { type: "PodScheduled", status: "True" }
      : { type: "PodScheduled", status: "False", reason: "Unschedulable", message: unscheduled },
    { type: "PodReadyToStartContainers", status: sandbox ? "True" : "False" },
  ];
  const metadata = { name, namespace, uid: name, labels, ownerReferences: [{ uid: owner }] };
  return {
    metadata: metadata as unknown as Pod["metadata"],
    spec: {
      ...(unscheduled === undefined ? { nodeName: "node1" } : {}),
      ...(affinity === undefined ? {} : { affinity }),
      containers: [{ name: "main", image }],
    },
    status: {
      phase: look.phase ?? "Pending",
      conditions,
      ...(container ? { containerStatuses: [{ name: "main", image, ...container }] } : {}),
    },
  };
}

export const waiting = (reason: string, message?: string): Partial<ContainerStatus> => ({
  state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
});

export const event = (uid: string, reason: string, message: string): KubeObject => ({
  ...{ apiVersion: "v1", kind: "Event", metadata: { name: `${uid}-${reason}` }, type: "Warning" },
  ...{ involvedObject: { uid }, reason, message, lastTimestamp: "2026-01-01T00:00:00Z" },
});

export const claim = (spec: object, status: object = { phase: "Pending" }): KubeObject => ({
  ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", spec, status },
  metadata: { name: "data", namespace, uid: "c" },
});

/** An installation in which nothing is ready, and this was told of it. */
export const snapshot = (details: Partial<Details> = {}): Snapshot => ({
  namespace,
  deployment: deployment({ replicas: 1, updatedReplicas: 1 }),
  proxies: { object: daemonSet(onNodes(2, 0, 0)) },
  details: {
    ...{ pods: [], replicaSets: [replicaSet()], claim: undefined, events: [], earlier: [] },
    ...details,
  },
});
