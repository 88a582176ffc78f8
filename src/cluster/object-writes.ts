import { pathOf, refOf, refusal, type KubeObject, type ObjectRef } from "./objects.ts";
import type { ApiAnswer, Cluster } from "./types.ts";

/** Under which name the API server remembers the fields that kpush set: its field manager. */
export const fieldManager = "kpush";

type Asked = Pick<Cluster, "request" | "server" | "context">;

export interface WriteOptions {
  /** The server checks all and says what it would store, and stores nothing. */
  dryRun?: boolean;
  /** Takes fields over that another manager set. */
  force?: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Server-side apply. The answer is returned whatever its status: 201 for a new object, 200, 409 for
 * fields that another manager owns, 422 for what is immutable or invalid, 403.
 *
 * The body is JSON, which is YAML. See kubernetes.io/docs/reference/using-api/server-side-apply.
 */
export function applyObject(
  cluster: Pick<Cluster, "request">,
  object: KubeObject,
  { dryRun, force, signal }: WriteOptions = {},
): Promise<ApiAnswer> {
  const query = { ...(dryRun && { dryRun: "All" }), ...(force && { force: "true" }) };
  return cluster.request("PATCH", pathWith(refOf(object), query), {
    body: object,
    contentType: "application/apply-patch+yaml",
    signal,
  });
}

/** Makes an object; the answer is returned whatever its status: 201, 409 where there is one, 403. */
export function createObject(
  cluster: Pick<Cluster, "request">,
  object: KubeObject,
  { dryRun, signal }: Omit<WriteOptions, "force"> = {},
): Promise<ApiAnswer> {
  const collection = { ...refOf(object), name: undefined };
  const path = pathWith(collection, dryRun ? { dryRun: "All" } : {});
  return cluster.request("POST", path, { body: object, signal });
}

/** Changes an object by RFC 6902; for what apply cannot do. */
export async function patchObject(
  cluster: Asked,
  ref: ObjectRef & { name: string },
  operations: readonly {
    op: "add" | "replace" | "remove" | "test";
    path: string;
    value?: unknown;
  }[],
  signal?: AbortSignal,
): Promise<void> {
  const contentType = "application/json-patch+json";
  const answer = await cluster.request("PATCH", pathWith(ref, {}), {
    ...{ body: operations, contentType, signal },
  });
  if (answer.status !== 200) throw refusal(answer, cluster, "patch", ref);
}

/**
 * Changes some fields of an object by RFC 7386, in which null takes one away. The answer is returned
 * whatever its status.
 *
 * @param manager - under which name the server remembers the fields
 */
export function mergePatch(
  cluster: Pick<Cluster, "request">,
  object: KubeObject,
  body: object,
  { manager = fieldManager, signal }: { manager?: string; signal?: AbortSignal | undefined } = {},
): Promise<ApiAnswer> {
  return cluster.request("PATCH", `${pathOf(refOf(object))}?fieldManager=${manager}`, {
    ...{ body, contentType: "application/merge-patch+json", signal },
  });
}

/**
 * Deletes an object, and with `foreground` keeps it visible until what it owns (its pods) is gone.
 *
 * @param uid - only this very object, not one of the same name that came after it
 * @returns false where it was gone already
 * @throws KpushError `CLUSTER_FORBIDDEN`, `CLUSTER_FAILED`
 */
export async function deleteObject(
  cluster: Asked,
  ref: ObjectRef & { name: string },
  { uid, foreground = false, dryRun = false, signal }: DeleteOptions = {},
): Promise<boolean> {
  const path = dryRun ? `${pathOf(ref)}?dryRun=All` : pathOf(ref);
  const answer = await cluster.request("DELETE", path, {
    body: {
      ...{ apiVersion: "v1", kind: "DeleteOptions" },
      propagationPolicy: foreground ? "Foreground" : "Background",
      ...(uid === undefined ? {} : { preconditions: { uid } }),
    },
    signal,
  });
  if (answer.status === 404) return false;
  if (answer.status >= 300) throw refusal(answer, cluster, "delete", ref);
  return true;
}

export interface DeleteOptions {
  uid?: string | undefined;
  foreground?: boolean;
  /** The server says whether it would, and deletes nothing. */
  dryRun?: boolean;
  signal?: AbortSignal | undefined;
}

/** With strict validation: a misspelt field is an error, as it is for kubectl. */
function pathWith(ref: ObjectRef, query: Record<string, string>): string {
  const search = new URLSearchParams({ fieldManager, fieldValidation: "Strict", ...query });
  return `${pathOf(ref)}?${search.toString()}`;
}
