import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { resourceOf, type KubeObject, type ObjectRef } from "../../src/cluster/objects.ts";
import { matchesSelector } from "../../src/demo/pods.ts";
import { applied, jsonPatched, mergePatched, valueAt } from "./kube-patches.ts";

/** A refusal of the API server, as its Status says it. */
export interface Refusal {
  status: number;
  reason: string;
  message: string;
  causes?: { reason: string; message: string; field: string }[];
  /** What it is about: the plural name of the kind, and the object's. */
  about?: { kind: string; name: string };
}

/** One request that reached the store. */
export interface StoreRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  contentType: string | undefined;
  body: unknown;
}

/** The 409 of fields that another manager owns, e.g. `conflict("kubectl", ".spec.replicas")`. */
export function conflict(manager: string, ...fields: string[]): Refusal {
  const said = `conflict with "${manager}" using apps/v1`;
  return {
    ...{ status: 409, reason: "Conflict" },
    message: `Apply failed with ${fields.length} conflict: ${said}: ${fields.join(", ")}`,
    causes: fields.map((field) => ({ reason: "FieldManagerConflict", message: said, field })),
  };
}

/** The 422 of a field that cannot be set so, e.g. `invalid("spec.selector", "field is immutable")`. */
export function invalid(field: string, why: string): Refusal {
  const message = `Invalid value: {}: ${why}`;
  return {
    ...{ status: 422, reason: "Invalid", message: `it is invalid: ${field}: ${message}` },
    causes: [{ reason: "FieldValueInvalid", message, field }],
  };
}

export const notFound = (kind: string, name: string): Refusal => ({
  ...{ status: 404, reason: "NotFound", message: `${resourceOf(kind)} "${name}" not found` },
  about: { kind: resourceOf(kind), name },
});

export const alreadyExists = (kind: string, name: string): Refusal => ({
  ...{ status: 409, reason: "AlreadyExists" },
  message: `${resourceOf(kind)} "${name}" already exists`,
});

export function forbidden(verb: string, { kind, namespace, name }: ObjectRef): Refusal {
  const where =
    namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const what = `${resourceOf(kind)}${name === undefined ? "" : ` "${name}"`} is forbidden`;
  const message = `${what}: User "tester" cannot ${verb} resource "${resourceOf(kind)}" ${where}`;
  return { status: 403, reason: "Forbidden", message };
}

/** The answer to a request that is refused. */
export function refusing({ status, reason, message, causes, about }: Refusal) {
  const details = { ...about, causes };
  const json = { kind: "Status", apiVersion: "v1", status: "Failure", reason, message, details };
  return { status, json: { ...json, code: status } };
}

/** The list of a kind, as labelSelector and fieldSelector (`a.b=c`, `a.b!=c`) narrow it. */
export function listOf(objects: KubeObject[], ref: ObjectRef, query: URLSearchParams): object {
  const { apiVersion, kind, namespace } = ref;
  const fields = (query.get("fieldSelector") ?? "").split(",").filter((one) => one !== "");
  const items = objects.filter(
    (object) =>
      object.kind === kind &&
      (namespace === undefined || object.metadata.namespace === namespace) &&
      matchesSelector(object.metadata.labels ?? {}, query.get("labelSelector") ?? "") &&
      fields.every((field) => {
        const [, path = "", not, wanted] = /^([\w.]+?)(!?)==?(.*)$/.exec(field) ?? [];
        return ((valueAt(object, path) ?? "") === wanted) === (not === "");
      }),
  );
  return { apiVersion, kind: `${kind}List`, metadata: { resourceVersion: "1" }, items };
}

/** The object that a POST or PATCH asks for. */
export function nextOf(
  { contentType = "", body, method }: StoreRequest,
  live: KubeObject | undefined,
  before: unknown,
): KubeObject {
  if (method === "POST") return structuredClone(body) as KubeObject;
  if (contentType.includes("apply-patch")) return applied(live, before, body) as KubeObject;
  if (contentType.includes("json-patch")) return jsonPatched(live, body) as KubeObject;
  return mergePatched(live, body) as KubeObject;
}

/** The body of a request, read as JSON; undefined where there is none. */
export async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const body = await text(request);
  return body === "" ? undefined : JSON.parse(body);
}

export function sendJson(response: ServerResponse, status: number, json: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
}
