import type { KubeObject } from "../../src/cluster/objects.ts";
import { mapping, text } from "../../src/cluster/values.ts";
import type { KubeStore } from "./kube-store.ts";

/** What a kubelet makes of a pod of a proof: its status. `number` counts the pods of this node, from 1. */
export type Kubelet = (node: string, number: number) => Record<string, unknown>;

/** A container that waits, for this reason. */
export const waiting = (reason: string, message?: string): Record<string, unknown> => ({
  phase: "Pending",
  containerStatuses: [{ name: "proof", imageID: "", state: { waiting: { reason, message } } }],
});

/** What becomes of an image that was pulled: its container has ended. */
export const pulled: Record<string, unknown> = {
  phase: "Succeeded",
  containerStatuses: [
    { name: "proof", imageID: "sha256:1", state: { terminated: { exitCode: 0 } } },
  ],
};

/** Gives each pod that is created in the store the status that its node's kubelet would. */
export function runKubelets(store: KubeStore, kubelet: Kubelet): void {
  const pods = new Map<string, number>();
  store.onChange = (type, object: KubeObject) => {
    if (type !== "created" || object.kind !== "Pod") return;
    const node = text(mapping(object["spec"])["nodeName"]) ?? "";
    const number = (pods.get(node) ?? 0) + 1;
    pods.set(node, number);
    store.put({ ...object, status: kubelet(node, number) });
  };
}

/** A Linux node of a fake cluster. */
export function nodeNamed(name: string, ready = true): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/os": "linux" } },
    spec: {},
    status: {
      conditions: [{ type: "Ready", status: ready ? "True" : "Unknown" }],
      nodeInfo: { architecture: "amd64", operatingSystem: "linux" },
    },
  };
}
