import { list, mapping, text } from "./values.ts";

/** The part of a pod, as the API server gives it, that the search for a registry looks at. */
export interface Pod {
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: { kind: string; name: string; controller?: boolean }[];
  };
  spec: {
    nodeName?: string;
    containers: {
      name: string;
      image?: string;
      ports?: { name?: string; containerPort: number; protocol?: string }[];
    }[];
    volumes?: { persistentVolumeClaim?: { claimName: string } }[];
  };
  status: {
    phase?: string;
    podIP?: string;
    reason?: string;
    message?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}

export interface ContainerStatus {
  name: string;
  image?: string;
  ready?: boolean;
  restartCount?: number;
  state?: ContainerState;
  lastState?: ContainerState;
}

interface ContainerState {
  waiting?: { reason?: string; message?: string };
  running?: object;
  terminated?: { exitCode: number; reason?: string; message?: string };
}

/**
 * The pods of a PodList. The API server's types are trusted, as it validated them; an answer that is
 * no PodList, or a pod without a name, is not.
 *
 * @returns undefined where it is no PodList
 */
export function podsOf(json: unknown): Pod[] | undefined {
  const { kind, items } = mapping(json);
  if (kind !== "PodList" || (items !== null && items !== undefined && !Array.isArray(items)))
    return undefined;
  return list(items).flatMap((item) => {
    const { metadata, spec, status } = mapping(item);
    const { name, uid, namespace } = mapping(metadata);
    if (!isName(name) || !isName(namespace) || text(uid) === undefined) return [];
    const pod = {
      metadata: mapping(metadata),
      spec: { ...mapping(spec), containers: list(mapping(spec)["containers"]) },
      status: mapping(status),
    };
    return [pod as unknown as Pod];
  });
}

/** A DNS name, as Kubernetes has them: it may enter a path and be shown. */
const isName = (value: unknown): value is string =>
  typeof value === "string" &&
  value.length <= 253 &&
  /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(value);

/**
 * Who runs a pod: `Deployment/kpush-registry`, `ReplicationController/kube-registry-v0`, `Pod/x` for
 * one by itself. Two ReplicaSets of one Deployment are one owner, as during a rollout.
 */
export function ownerOf({ metadata }: Pod): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return `Pod/${metadata.name}`;
  const hash = metadata.labels?.["pod-template-hash"];
  if (owner.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`)) {
    return `Deployment/${owner.name.slice(0, -hash.length - 1)}`;
  }
  return `${owner.kind}/${owner.name}`;
}

/** Whether its containers run, ready or not, and it stays. */
export function isRunning({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && status.phase === "Running";
}

/** Whether a push may go there: running, ready and staying. */
export function isReady(pod: Pod): boolean {
  const { conditions = [] } = pod.status;
  return (
    isRunning(pod) && conditions.some(({ type, status }) => type === "Ready" && status === "True")
  );
}
