import type { ContainerStatus, Pod } from "../../../src/cluster/pods.ts";

/** What differs from a pod that runs and is ready. */
export interface PodFacts {
  name?: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  owner?: { kind: string; name: string };
  created?: string;
  deleting?: boolean;
  containers?: Pod["spec"]["containers"];
  claim?: string;
  phase?: string;
  ready?: boolean;
  reason?: string;
  message?: string;
  scheduling?: string;
  init?: ContainerStatus;
  container?: ContainerStatus;
}

/** A pod as the API server gives it: ready, with a port `registry` of 5000, unless told otherwise. */
export function pod(facts: PodFacts = {}): Pod {
  const {
    name = "registry-0",
    namespace = "kube-system",
    phase = "Running",
    ready = phase === "Running",
  } = facts;
  const {
    labels = { "k8s-app": "kube-registry" },
    annotations,
    owner,
    scheduling,
    init,
    container,
  } = facts;
  const ports = [{ name: "registry", containerPort: 5000 }];
  return {
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      creationTimestamp: facts.created ?? "2026-01-01T00:00:00Z",
      labels,
      ...(annotations ? { annotations } : {}),
      ...(owner ? { ownerReferences: [{ ...owner, controller: true }] } : {}),
      ...(facts.deleting ? { deletionTimestamp: "2026-01-02T00:00:00Z" } : {}),
    },
    spec: {
      nodeName: "node1",
      containers: facts.containers ?? [{ name: "registry", image: "registry:3", ports }],
      ...(facts.claim === undefined
        ? {}
        : { volumes: [{ persistentVolumeClaim: { claimName: facts.claim } }] }),
    },
    status: {
      phase,
      ...(facts.reason === undefined ? {} : { reason: facts.reason }),
      ...(facts.message === undefined ? {} : { message: facts.message }),
      conditions: [
        {
          type: "PodScheduled",
          status: scheduling === undefined ? "True" : "False",
          ...(scheduling === undefined ? {} : { message: scheduling }),
        },
        { type: "Ready", status: ready ? "True" : "False" },
      ],
      ...(init ? { initContainerStatuses: [init] } : {}),
      ...(container ? { containerStatuses: [container] } : {}),
    },
  };
}
