import { getObject, listObjects, refOf, type KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { KpushError } from "../../errors.ts";
import { ownSelector } from "../names.ts";
import type { PlannedObject } from "../types.ts";
import { isGoing, keyOf } from "./ownership.ts";

const rbac = "rbac.authorization.k8s.io/v1";
const network = "networking.k8s.io/v1";

/** The kinds that kpush makes in a namespace, the Secret apart: nobody needs to read that. */
export const ownKinds: readonly { apiVersion: string; kind: string }[] = [
  { apiVersion: "apps/v1", kind: "DaemonSet" },
  { apiVersion: "apps/v1", kind: "Deployment" },
  { apiVersion: "v1", kind: "ConfigMap" },
  { apiVersion: "v1", kind: "PersistentVolumeClaim" },
  { apiVersion: "v1", kind: "Service" },
  { apiVersion: rbac, kind: "RoleBinding" },
  { apiVersion: rbac, kind: "Role" },
  { apiVersion: network, kind: "NetworkPolicy" },
];

/**
 * What kpush made in the objects' namespace, and the Namespace that is one of them, by
 * {@link keyOf}. Kinds that may not be listed are left out: whoever may apply them is told by that.
 */
export async function findOurs(
  cluster: Cluster,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<Map<string, KubeObject>> {
  const namespace = objects.find(({ metadata }) => metadata.namespace)?.metadata.namespace;
  const made = objects.find(({ kind }) => kind === "Namespace");
  const found = await Promise.all([
    ...(made ? [ifAllowed(getObject(cluster, refOf(made), signal))] : []),
    ...(namespace === undefined ? [] : ownKinds).map((kind) =>
      ifAllowed(
        listObjects(cluster, { ...kind, namespace }, { labelSelector: ownSelector }, signal),
      ),
    ),
  ]);
  return new Map(found.flat().flatMap((one) => (one ? [[keyOf(one), one] as const] : [])));
}

/** What kpush made before and does not make now, such as the node proxies of another `--node-access`. */
export function noLongerRendered(
  ours: ReadonlyMap<string, KubeObject>,
  objects: readonly KubeObject[],
): PlannedObject[] {
  const rendered = new Set(objects.map(keyOf));
  const removable = [...ours].filter(
    ([key, { kind, metadata }]) =>
      !rendered.has(key) &&
      kind !== "PersistentVolumeClaim" && // holds the data
      kind !== "Namespace" &&
      metadata.name.startsWith("kpush-"), // labels are copied along with manifests
  );
  return removable
    .filter(([, object]) => !isGoing(object))
    .map(([, object]) => ({ object, live: object, next: undefined, action: "remove" }));
}

async function ifAllowed<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof KpushError && error.code === "CLUSTER_FORBIDDEN") return undefined;
    throw error;
  }
}
