import { isDeepStrictEqual } from "node:util";
import { resourceOf, type KubeObject, type ObjectRef } from "../../src/cluster/objects.ts";
import type { ApiServer } from "../../src/demo/api-server.ts";
import type { Pod } from "../../src/demo/pods.ts";
import {
  alreadyExists,
  bodyOf,
  forbidden,
  listOf,
  nextOf,
  notFound,
  refusing,
  sendJson,
  type Refusal,
  type StoreRequest,
} from "./kube-answers.ts";
import { valueAt } from "./kube-patches.ts";

/** What a write is about; `next` is undefined for a delete. */
export interface Write {
  request: StoreRequest;
  live: KubeObject | undefined;
  next: KubeObject | undefined;
}

/** The objects of a fake API server; see {@link kubeStore}. */
export interface KubeStore {
  /** All there is, pods too. */
  readonly objects: KubeObject[];
  /** What was asked of the store, in order, with bodies. */
  readonly requests: StoreRequest[];
  /** What was really written by way of the API, in order, as `METHOD KIND/NAME`. */
  writes(): string[];
  /** Name that a SelfSubjectReview tells. */
  user: string;
  find(kind: string, name: string, namespace?: string): KubeObject | undefined;
  /** Stores an object as some other client would: a person, a controller. Its namespace is made. */
  put(object: KubeObject): KubeObject;
  remove(kind: string, name: string, namespace?: string): void;
  /** Sees each write, dry runs too, and may refuse it: see kube-answers.ts. */
  admit: ((write: Write) => Refusal | undefined) | undefined;
  /** Runs after each write that was stored, by way of the API: the place to script what controllers do. */
  onChange: ((type: "created" | "changed" | "deleted", object: KubeObject) => void) | undefined;
}

const kinds =
  "ConfigMap DaemonSet Deployment Event Namespace NetworkPolicy Node PersistentVolumeClaim Pod ReplicaSet ReplicationController Role RoleBinding Secret Service StorageClass";
const kindOf = new Map(kinds.split(" ").map((kind) => [resourceOf(kind), kind]));
const verbs: Record<string, string> = { POST: "create", PATCH: "patch", DELETE: "delete" };
const objectPath =
  /^\/apis?\/((?:[a-z0-9.]+\/)?v[a-z0-9]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?$/;

/**
 * Gives a fake API server objects: GET, lists (labelSelector, fieldSelector), POST, PATCH (apply,
 * JSON Patch, merge patch), DELETE, dry runs, for the kinds of `src/cluster/objects.ts`. As on a
 * real server, a write that changes nothing keeps the resourceVersion, `generation` counts changes of
 * the spec, and nothing can be made in a namespace that is not there. There is no defaulting.
 *
 *     const store = kubeStore(world.api);          // takes over api.onRequest
 *     store.put({ apiVersion: "v1", kind: "Node", metadata: { name: "node1" } });
 *     store.admit = ({ next, request }) =>         // refuse
 *       next?.kind === "Deployment" && !request.query.has("force")
 *         ? conflict("kubectl", ".spec.replicas")
 *         : undefined;
 *     store.onChange = (type, object) => {         // be a controller: set a status, make pods
 *       if (object.kind === "Deployment") store.put({ ...object, status: { readyReplicas: 1 } });
 *     };
 *
 * Pods are those of `api.pods`, so that port-forwards find them. `api.allow` decides about verbs
 * (`get`, `list`, `create`, `patch`, `delete`) and is asked with the namespace, `""` for none. Paths that
 * name no object, such as access reviews, go on to the server's own answers.
 */
export function kubeStore(api: ApiServer): KubeStore {
  const stored = new Map<string, KubeObject>();
  const lastApplied = new Map<string, unknown>();
  let version = 0;

  const keyOf = (kind: string, name: string, namespace = "") => `${kind} ${namespace} ${name}`;
  const pods = () => api.pods.map((pod) => ({ apiVersion: "v1", kind: "Pod", ...pod }));
  const find = (kind: string, name: string, namespace?: string): KubeObject | undefined =>
    kind === "Pod"
      ? pods().find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
      : stored.get(keyOf(kind, name, namespace));
  const remove = (kind: string, name: string, namespace?: string) => {
    const inside = store.objects.filter(({ metadata }) => metadata.namespace === name);
    if (kind === "Namespace") for (const one of inside) remove(one.kind, one.metadata.name, name);
    if (kind === "Pod")
      api.pods = api.pods.filter(
        ({ metadata }) => metadata.name !== name || metadata.namespace !== namespace,
      );
    stored.delete(keyOf(kind, name, namespace));
    lastApplied.delete(keyOf(kind, name, namespace));
    version += 1;
  };
  const save = (object: KubeObject) => {
    const { name, namespace } = object.metadata;
    const key = keyOf(object.kind, name, namespace);
    if (object.kind === "Pod") {
      remove("Pod", name, namespace);
      api.pods = [...api.pods, object as unknown as Pod];
    } else stored.set(key, object);
    version += 1;
    return object;
  };
  /** As the server would store it: with the live resourceVersion where nothing changes. */
  const stamped = (object: KubeObject, live: KubeObject | undefined): KubeObject => {
    const same = live !== undefined && isDeepStrictEqual(object["spec"], live["spec"]);
    const generation = live?.metadata.generation ?? 0;
    const old = live?.metadata ?? object.metadata;
    const metadata = {
      ...object.metadata,
      uid: old.uid ?? `uid-${version}`,
      creationTimestamp: old.creationTimestamp ?? "2024-01-01T00:00:00Z",
      generation: same ? generation : generation + 1,
      ...(old.resourceVersion === undefined ? {} : { resourceVersion: old.resourceVersion }),
    };
    const next = { ...object, metadata };
    if (isDeepStrictEqual(next, live)) return next;
    return { ...next, metadata: { ...metadata, resourceVersion: String(version + 1) } };
  };
  const put = (object: KubeObject): KubeObject => {
    const { name, namespace } = object.metadata;
    if (namespace !== undefined && !find("Namespace", namespace)) put(namespaceNamed(namespace));
    return save(stamped(structuredClone(object), find(object.kind, name, namespace)));
  };

  const answer = (request: StoreRequest, ref: ObjectRef): { status: number; json: unknown } => {
    const { method, query, body, contentType } = request;
    const { kind, namespace } = ref;
    const verb = verbs[method] ?? (ref.name === undefined ? "list" : "get");
    const mayNot = (what: string) => !api.allow(what, resourceOf(kind), namespace ?? "");
    if (mayNot(verb)) return refusing(forbidden(verb, ref));
    if (verb === "list") return { status: 200, json: listOf(store.objects, ref, query) };
    const name = ref.name ?? String(valueAt(body, "metadata.name"));
    const live = find(kind, name, namespace);
    if (verb === "get" && live) return { status: 200, json: live };
    const isApply = contentType?.includes("apply-patch") === true;
    const makes = verb === "create" || isApply;
    if (!live && makes && namespace !== undefined && !find("Namespace", namespace))
      return refusing(notFound("Namespace", namespace));
    if (!live && !makes) return refusing(notFound(kind, name));
    if (live && verb === "create") return refusing(alreadyExists(kind, name));
    if (!live && mayNot("create")) return refusing(forbidden("create", ref));

    const key = keyOf(kind, name, namespace);
    const next = verb === "delete" ? undefined : nextOf(request, live, lastApplied.get(key));
    const refusal = store.admit?.({ request, live, next });
    if (refusal) return refusing(refusal);
    const result = next && stamped(inNamespace(next, namespace), live);
    if (query.get("dryRun") !== "All") {
      if (isApply) lastApplied.set(key, body);
      commit(result, live);
    }
    return { status: live ? 200 : 201, json: result ?? live };
  };
  const commit = (next: KubeObject | undefined, live: KubeObject | undefined) => {
    if (isDeepStrictEqual(next, live)) return;
    if (next) save(next);
    else if (live) remove(live.kind, live.metadata.name, live.metadata.namespace);
    const object = next ?? live;
    if (object) store.onChange?.(!next ? "deleted" : live ? "changed" : "created", object);
  };

  const store: KubeStore = {
    get objects() {
      return [...stored.values(), ...pods()];
    },
    writes: () =>
      store.requests
        .filter(({ method, query }) => method !== "GET" && query.get("dryRun") !== "All")
        .map(({ method, path }) => `${method} ${path.split("/").slice(-2).join("/")}`),
    ...{ requests: [], user: "tester", find, put, remove, admit: undefined, onChange: undefined },
  };
  api.onRequest = (request, response) => {
    const url = new URL(request.url ?? "", "http://server");
    const path = decodeURIComponent(url.pathname);
    const [, apiVersion = "", namespace, resource = "", name] = objectPath.exec(path) ?? [];
    const kind = kindOf.get(resource);
    const isReview = resource === "selfsubjectreviews";
    if (kind === undefined && !isReview) return false;
    const serve = async () => {
      const { method = "" } = request;
      const contentType = request.headers["content-type"];
      const body = await bodyOf(request);
      const asked = { method, path, query: url.searchParams, contentType, body };
      store.requests.push(asked);
      const { status, json } = isReview
        ? { status: 201, json: { status: { userInfo: { username: store.user } } } }
        : answer(asked, { apiVersion, kind: kind ?? "", namespace, name });
      sendJson(response, status, json);
    };
    serve().catch((error: unknown) => response.destroy(error as Error));
    return true;
  };
  for (const name of ["default", "kube-system", "kube-public"]) put(namespaceNamed(name));
  return store;
}

const namespaceNamed = (name: string): KubeObject => ({
  ...{ apiVersion: "v1", kind: "Namespace", metadata: { name } },
  status: { phase: "Active" },
});

const inNamespace = (object: KubeObject, namespace: string | undefined): KubeObject =>
  namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } };
