import {
  getObject,
  listObjects,
  resourceOf,
  type KubeObject,
  type ObjectRef,
} from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import type { Report } from "../../events.ts";
import { isOurs, keyOf } from "../apply/ownership.ts";
import { ownKinds } from "../apply/inventory.ts";
import { names, ownSelector } from "../names.ts";

/** What there is of an installation in one namespace. */
export interface Found {
  /** Undefined where it is not there, or may not be seen. */
  namespace: KubeObject | undefined;
  /** What kpush made, claims and the Secret too; and pods of a proof that was cut off. */
  ours: KubeObject[];
  /** What has a name of ours and was made by others. */
  foreign: KubeObject[];
}

const ownNames: Record<string, readonly string[]> = {
  ConfigMap: [names.registryConfig, names.nodeProxy],
  DaemonSet: [names.nodeProxy],
  Deployment: [names.registry],
  NetworkPolicy: [names.registry, names.nodeProxy],
  PersistentVolumeClaim: [names.registryData],
  Role: [names.pushRole],
  RoleBinding: [names.pushRole],
  Service: [names.registry],
};

/**
 * Looks at all kinds at once. What may not be looked at is passed over with a warning.
 *
 * @throws KpushError `CLUSTER_FORBIDDEN` where nothing may be looked at; `CLUSTER_FAILED`
 */
export async function findInstallation(
  cluster: Cluster,
  namespace: string,
  report: Report,
  signal: AbortSignal,
): Promise<Found> {
  const refs = ownKinds.flatMap(({ apiVersion, kind }) =>
    (ownNames[kind] ?? []).map((name) => ({ apiVersion, kind, namespace, name })),
  );
  const secret = { apiVersion: "v1", kind: "Secret", namespace, name: names.httpSecret };
  const [space, lists, pods, named] = await Promise.all([
    getObject(cluster, { apiVersion: "v1", kind: "Namespace", name: namespace }, signal).catch(
      unlessForbidden,
    ),
    Promise.allSettled(ownKinds.map((kind) => ownObjects(cluster, { ...kind, namespace }, signal))),
    ownObjects(cluster, { apiVersion: "v1", kind: "Pod", namespace }, signal).catch(
      unlessForbidden,
    ),
    Promise.all(
      [...refs, secret].map((ref) => getObject(cluster, ref, signal).catch(unlessForbidden)),
    ),
  ]);
  tellWhatIsHidden(lists, namespace, report);
  const listed = lists.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  const leftPods = (pods ?? []).filter(({ metadata }) => metadata["ownerReferences"] === undefined);
  const seen = [...listed, ...leftPods, ...named].filter((one) => one !== undefined);
  const unique = [...new Map(seen.map((object) => [keyOf(object), object])).values()];
  const ours = unique.filter(isOurs);
  return { namespace: space, ours, foreign: unique.filter((object) => !isOurs(object)) };
}

function ownObjects(cluster: Cluster, kind: Omit<ObjectRef, "name">, signal: AbortSignal) {
  return listObjects(cluster, kind, { labelSelector: ownSelector }, signal);
}

/** The claims that a registry's pods keep their data on. */
export function claimsOf(deployment: KubeObject | undefined): string[] {
  const template = mapping(mapping(deployment?.["spec"])["template"]);
  return list(mapping(template["spec"])["volumes"]).flatMap((volume) => {
    const claim = mapping(mapping(volume)["persistentVolumeClaim"]);
    return text(claim["claimName"]) ?? [];
  });
}

function unlessForbidden(error: unknown): undefined {
  if (!(error instanceof KpushError && error.code === "CLUSTER_FORBIDDEN")) throw error;
}

function tellWhatIsHidden(
  lists: readonly PromiseSettledResult<KubeObject[]>[],
  namespace: string,
  report: Report,
): void {
  const failed = lists.flatMap((one, index) =>
    one.status === "rejected"
      ? [{ error: one.reason as unknown, kind: ownKinds[index]?.kind }]
      : [],
  );
  for (const { error } of failed) unlessForbidden(error);
  if (failed.length === lists.length) throw failed[0]?.error;
  if (failed.length === 0) return;
  const kinds = failed.map(({ kind = "" }) => resourceOf(kind)).join(", ");
  report({
    type: "warning",
    message: `you may not list ${kinds} in namespace ${namespace}: what kpush made of them may be left`,
  });
}
