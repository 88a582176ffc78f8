import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { apply, kubectl } from "./kubectl.ts";

const manifests = new URL("../../../docs/manifests/old-registry.yaml", import.meta.url);

/** Sets the registry up in the old way, in kube-system, unless the cluster has it already. */
export async function oldRegistry(): Promise<AsyncDisposable> {
  const found = await kubectl([
    "-n",
    "kube-system",
    "get",
    "pods",
    "-l",
    "k8s-app=kube-registry",
    "-o",
    "name",
  ]);
  const text = await readFile(manifests, "utf8");
  const ours = found.trim() === "";
  if (ours) await apply(text);
  await kubectl([
    "-n",
    "kube-system",
    "rollout",
    "status",
    "daemonset/kube-registry-proxy",
    "--timeout=120s",
  ]);
  await kubectl([
    "-n",
    "kube-system",
    "wait",
    "--for=condition=Ready",
    "pod",
    "-l",
    "k8s-app=kube-registry",
    "--timeout=120s",
  ]);
  return {
    async [Symbol.asyncDispose]() {
      if (ours) await kubectl(["delete", "--ignore-not-found", "--wait=true", "-f", "-"], text);
    },
  };
}

/** A registry that the nodes pull from: the one of `kpush install` where there is one, else the old one. */
export async function pulledRegistry(): Promise<AsyncDisposable> {
  const installed = await kubectl([
    ...["get", "daemonsets", "-A", "-l", "app.kubernetes.io/name=kpush-node-proxy", "-o", "name"],
  ]);
  if (installed.trim() === "") return oldRegistry();
  return { [Symbol.asyncDispose]: () => Promise.resolve() };
}

/**
 * A namespace of its own with a registry that kpush finds by `-n`; all is deleted in the end.
 *
 * @param keeps - on a volume claim, and with a secret of its own: the next pod goes on with what one has begun
 */
export async function registryIn(
  namespace: string,
  image: string,
  { keeps = false } = {},
): Promise<AsyncDisposable> {
  await apply([
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    ...(keeps ? [claim(namespace)] : []),
    {
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata: { name: "kube-registry-v0", namespace },
      spec: {
        replicas: 1,
        selector: { "k8s-app": "kube-registry" },
        template: {
          metadata: { labels: { "k8s-app": "kube-registry" } },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [
              {
                name: "registry",
                image,
                ...(keeps && { env: [{ name: "REGISTRY_HTTP_SECRET", value: randomUUID() }] }),
                ports: [{ containerPort: 5000, name: "registry" }],
                readinessProbe: { httpGet: { path: "/", port: 5000 }, periodSeconds: 1 },
                volumeMounts: [{ name: "store", mountPath: "/var/lib/registry" }],
              },
            ],
            volumes: [
              {
                name: "store",
                ...(keeps ? { persistentVolumeClaim: { claimName: "store" } } : { emptyDir: {} }),
              },
            ],
          },
        },
      },
    },
  ]);
  await waitForRegistry(namespace);
  return {
    async [Symbol.asyncDispose]() {
      await kubectl(["delete", "namespace", namespace, "--wait=false"]);
    },
  };
}

function claim(namespace: string): object {
  return {
    ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "store", namespace } },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
}

/** Replaces the namespace's registry by an empty one: its layers are on an emptyDir. */
export async function emptyRegistry(namespace: string): Promise<void> {
  await deleteRegistryPod(namespace);
  await waitForRegistry(namespace);
}

/** Deletes the pod as a lost node would: at once. Returns when it is gone. */
export async function deleteRegistryPod(namespace: string): Promise<void> {
  await kubectl([
    "-n",
    namespace,
    "delete",
    "pod",
    "-l",
    "k8s-app=kube-registry",
    "--grace-period=0",
    "--force",
  ]);
}

/** Waits until the namespace's registry pod is Ready; the controller may not have made it yet. */
export async function waitForRegistry(namespace: string): Promise<void> {
  await kubectl([
    "-n",
    namespace,
    "wait",
    "--for=jsonpath={.status.readyReplicas}=1",
    "rc/kube-registry-v0",
    "--timeout=120s",
  ]);
}
