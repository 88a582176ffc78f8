import type { KubeObject } from "../../../src/cluster/objects.ts";
import type { InstallSettings } from "../../../src/install/types.ts";

/** Settings as `kpush install` has them without options, but for these. */
export const settings = (facts: Partial<InstallSettings> = {}): InstallSettings => ({
  namespace: "kpush-system",
  makesNamespace: true,
  image: "registry:3.1.1",
  proxyImage: "haproxy:3.2-alpine",
  imagePullSecret: undefined,
  storage: { kind: "pvc", size: "20Gi", storageClass: undefined },
  runAsUser: 1000,
  nodeAccess: "hostport",
  ipv6: false,
  nodePort: 5000,
  nodePush: false,
  allowFrom: [],
  allowPush: [],
  tolerations: undefined,
  nodeSelector: {},
  priorityClass: undefined,
  config: {},
  ...facts,
});

export interface NodeLook {
  runtime?: string;
  os?: string;
  cordoned?: boolean;
  addresses?: string[];
  labels?: Record<string, string>;
}

/** A Linux node with containerd, unless told otherwise. */
export const node = (name: string, look: NodeLook = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: look.labels ?? {} },
  spec: look.cordoned ? { unschedulable: true } : {},
  status: {
    nodeInfo: {
      operatingSystem: look.os ?? "linux",
      containerRuntimeVersion: look.runtime ?? "containerd://2.1.9",
    },
    addresses: [
      { type: "Hostname", address: name },
      ...(look.addresses ?? ["10.0.0.1"]).map((address) => ({ type: "InternalIP", address })),
    ],
  },
});

export interface PortLook {
  namespace?: string;
  labels?: Record<string, string>;
  owner?: [kind: string, name: string];
  container?: string;
  ports?: object[];
  hostNetwork?: boolean;
  node?: string | null;
  phase?: string;
  sidecar?: boolean;
  deleting?: boolean;
}

/** A running pod that has port 5000 of node1, unless told otherwise. */
export function portPod(name: string, look: PortLook = {}): KubeObject {
  const { namespace = "other", labels = {}, owner, container = "app", phase = "Running" } = look;
  const { ports = [{ containerPort: 80, hostPort: 5000 }], hostNetwork, node = "node1" } = look;
  const containers = [{ name: container, ports }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...{ name, namespace, labels },
      ...(look.deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
      ...(owner && { ownerReferences: [{ kind: owner[0], name: owner[1], controller: true }] }),
    },
    spec: {
      ...(node === null ? {} : { nodeName: node }),
      ...(hostNetwork === undefined ? {} : { hostNetwork }),
      ...(look.sidecar
        ? { containers: [], initContainers: [{ ...containers[0], restartPolicy: "Always" }] }
        : { containers }),
    },
    status: { phase },
  };
}

export const storageClass = (name: string, annotations: Record<string, string> = {}) => ({
  ...{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", provisioner: "example.com/disk" },
  metadata: { name, annotations },
});

export const namespace = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  ...{ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
});
