import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { answerMessage, unexpectedAnswer } from "./api.ts";
import type { ApiAnswer, Cluster } from "./types.ts";
import { list, mapping } from "./values.ts";

/** A Kubernetes object, as it is rendered or as the API server gave it. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    resourceVersion?: string;
    uid?: string;
    generation?: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

/** Names an object, or with an empty name all of its kind. */
export interface ObjectRef {
  apiVersion: string;
  kind: string;
  namespace?: string | undefined;
  name?: string | undefined;
}

/** Plural names, as the paths of the API have them. Kinds that kpush never touches are not here. */
const resources: Record<string, string> = {
  ConfigMap: "configmaps",
  DaemonSet: "daemonsets",
  Deployment: "deployments",
  Event: "events",
  Namespace: "namespaces",
  NetworkPolicy: "networkpolicies",
  Node: "nodes",
  PersistentVolumeClaim: "persistentvolumeclaims",
  Pod: "pods",
  ReplicaSet: "replicasets",
  ReplicationController: "replicationcontrollers",
  Role: "roles",
  RoleBinding: "rolebindings",
  Secret: "secrets",
  Service: "services",
  StorageClass: "storageclasses",
};

/** The plural name of a kind, e.g. `deployments`; throws for one that the table lacks. */
export function resourceOf(kind: string): string {
  const resource = resources[kind];
  if (resource === undefined) throw new Error(`no path is known for ${kind}`);
  return resource;
}

/** `apps` of `apps/v1`; `""` for the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** Path of an object, or of the collection where `name` is absent. */
export function pathOf({ apiVersion, kind, namespace, name }: ObjectRef): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const inside = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const one = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${inside}/${resourceOf(kind)}${one}`;
}

/** Where an object is. */
export function refOf({ apiVersion, kind, metadata }: KubeObject): ObjectRef & { name: string } {
  const { namespace, name } = metadata;
  return { apiVersion, kind, namespace, name };
}

/** `deployment kpush-system/kpush-registry`, to be read by people. */
export function titleOf({ kind, namespace, name = "" }: Omit<ObjectRef, "apiVersion">): string {
  return `${kind.toLowerCase()} ${namespace === undefined ? "" : `${namespace}/`}${plain(name, 253)}`;
}

type Asked = Pick<Cluster, "request" | "server" | "context">;

/**
 * Reads one object.
 *
 * @returns undefined where it is not there
 * @throws KpushError `CLUSTER_FORBIDDEN`, `CLUSTER_FAILED`
 */
export async function getObject(
  cluster: Asked,
  ref: ObjectRef & { name: string },
  signal?: AbortSignal,
): Promise<KubeObject | undefined> {
  const answer = await cluster.request("GET", pathOf(ref), { signal });
  if (answer.status === 404) return undefined;
  return objectOf(answer, cluster, "get", ref);
}

/**
 * Reads all objects of a kind, of one namespace or of all.
 *
 * @param query - `labelSelector`, `fieldSelector`
 * @throws KpushError `CLUSTER_FORBIDDEN`, `CLUSTER_FAILED`
 */
export async function listObjects(
  cluster: Asked,
  ref: Omit<ObjectRef, "name">,
  query: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<KubeObject[]> {
  const { apiVersion, kind, namespace } = ref;
  const found: KubeObject[] = [];
  let next = "";
  do {
    const search = new URLSearchParams({ ...query, limit: "500", ...(next && { continue: next }) });
    const answer = await cluster.request(
      "GET",
      `${pathOf({ apiVersion, kind, namespace })}?${search.toString()}`,
      {
        signal,
      },
    );
    if (answer.status !== 200) throw refusal(answer, cluster, "list", ref);
    const { items, metadata } = mapping(answer.json);
    // Items of a list lack what the list itself says.
    found.push(
      ...list(items).map((item) => ({ apiVersion, kind, ...mapping(item) }) as KubeObject),
    );
    const { continue: more } = mapping(metadata);
    next = typeof more === "string" ? more : "";
  } while (next !== "");
  return found;
}

/** For what is only good to know: undefined, and no error, where the user may not ask it. */
export async function ifAllowed<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof KpushError && error.code === "CLUSTER_FORBIDDEN") return undefined;
    throw error;
  }
}

/** The object of a successful answer; else the error that says what could not be done. */
function objectOf(answer: ApiAnswer, cluster: Asked, verb: string, ref: ObjectRef): KubeObject {
  if (answer.status < 300 && mapping(mapping(answer.json)["metadata"])["name"] !== undefined)
    return answer.json as KubeObject;
  throw refusal(answer, cluster, verb, ref);
}

/** The error for an answer that refuses: `CLUSTER_FORBIDDEN` for a 403, else `CLUSTER_FAILED`. */
export function refusal(
  answer: ApiAnswer,
  cluster: Asked,
  verb: string,
  ref: ObjectRef,
): KpushError {
  if (answer.status !== 403 || mapping(answer.json)["reason"] !== "Forbidden")
    return unexpectedAnswer(answer, `${verb} ${titleOf(ref)}`, cluster.server);
  const where = ref.namespace === undefined ? "" : ` in namespace ${ref.namespace}`;
  return new KpushError(
    "CLUSTER_FORBIDDEN",
    `you may not ${verb} ${resourceOf(ref.kind)}${where} of context ${plain(cluster.context, 200)} (${answerMessage(answer)})`,
  );
}
