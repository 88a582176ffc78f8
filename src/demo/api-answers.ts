import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { matchesSelector, type Pod } from "./pods.ts";
import { portForwardProtocol } from "./port-forward.ts";

/**
 * Whether the user may do something.
 *
 * @param resource - with its subresource: `pods`, `pods/portforward`
 */
export type Allow = (verb: string, resource: string, namespace: string) => boolean;

/** What answers depend on, as it is at the moment of the request. */
interface ServerState {
  readonly token: string;
  readonly pods: readonly Pod[];
  readonly allow: Allow;
}

interface Answer {
  status: number;
  body: unknown;
}

/** A port-forward request that may be upgraded. */
interface PortForward {
  namespace: string;
  name: string;
  ports: number[];
}

// Names of namespaces and pods need no percent-encoding, so an encoded one names nothing.
const podPath = /^\/api\/v1\/namespaces\/([a-z0-9-]+)\/pods(?:\/([a-z0-9.-]+)(?:\/([a-z]+))?)?$/;
const accessReviewPath = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/** Answers a plain request as a Kubernetes API server does, as far as kpush asks one. */
export async function answerApiRequest(
  state: ServerState,
  prefix: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const text = await bodyOf(request).catch(() => undefined);
  if (text === undefined) return; // the client has gone
  const { status, body } = answer(state, prefix, request, text);
  const plain = typeof body === "string";
  response
    .writeHead(status, { "content-type": plain ? "text/plain" : "application/json" })
    .end(plain ? body : JSON.stringify(body));
}

/**
 * Decides about an upgrade: where it goes, or the answer that refuses it. From 1.35 on the real one
 * wants `create` besides the `get` that a WebSocket's GET stands for, and gives no reason then.
 */
export function checkAccess(
  state: ServerState,
  prefix: string,
  request: IncomingMessage,
): PortForward | Answer {
  if (!authenticated(state, request)) return unauthorized();
  const { path, query } = target(prefix, request);
  const [, namespace, name, subresource] = podPath.exec(path) ?? [];
  if (!namespace || !name || subresource !== "portforward") return pathNotFound();
  if (!state.allow("get", "pods/portforward", namespace)) {
    return forbidden("get", "pods/portforward", namespace, name);
  }
  if (!state.allow("create", "pods/portforward", namespace)) {
    return statusAnswer(403, "Forbidden", `pods "${name}" is forbidden: `);
  }
  if (!findPod(state, namespace, name)) return podNotFound(name);
  const ports = query.getAll("ports").flatMap((list) => list.split(",").map(Number));
  if (!ports.length || !ports.every((port) => Number.isInteger(port) && port > 0 && port < 65536)) {
    return { status: 400, body: 'query parameter "port" is required' };
  }
  const offered = request.headers["sec-websocket-protocol"]?.split(",") ?? [];
  // golang.org/x/net/websocket refuses like this, with nothing in the body.
  if (!offered.some((name) => name.trim() === portForwardProtocol))
    return { status: 403, body: "" };
  return { namespace, name, ports };
}

/** Writes a whole HTTP answer to a socket that asked for an upgrade, and closes it. */
export function answerText(socket: Duplex, status: number, body: unknown): void {
  const plain = typeof body === "string";
  const text = plain ? body : JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    `Content-Type: ${plain ? "text/plain" : "application/json"}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`);
}

function answer(
  state: ServerState,
  prefix: string,
  request: IncomingMessage,
  text: string,
): Answer {
  const { path, query } = target(prefix, request);
  if (path === "/readyz") return { status: 200, body: "ok" };
  if (!authenticated(state, request)) return unauthorized();
  if (path === "/version") {
    return {
      status: 200,
      body: { major: "1", minor: "36", gitVersion: "v1.36.0", platform: "linux/amd64" },
    };
  }
  if (path === accessReviewPath && request.method === "POST") return accessReview(state, text);

  const [, namespace, name, subresource] = podPath.exec(path) ?? [];
  if (!namespace || request.method !== "GET") return pathNotFound();
  if (subresource === "portforward")
    return statusAnswer(400, "BadRequest", "Upgrade request required");
  if (subresource) return pathNotFound();
  if (name) {
    if (!state.allow("get", "pods", namespace)) return forbidden("get", "pods", namespace, name);
    const pod = findPod(state, namespace, name);
    return pod
      ? { status: 200, body: { kind: "Pod", apiVersion: "v1", ...pod } }
      : podNotFound(name);
  }
  if (!state.allow("list", "pods", namespace)) return forbidden("list", "pods", namespace);
  return listPods(state, namespace, query.get("labelSelector") ?? "");
}

function listPods(state: ServerState, namespace: string, selector: string): Answer {
  if (matchesSelector({}, selector) === undefined) {
    return statusAnswer(400, "BadRequest", `unable to parse requirement: ${selector}`);
  }
  const items = state.pods.filter(
    ({ metadata }) =>
      metadata.namespace === namespace && matchesSelector(metadata.labels ?? {}, selector),
  );
  return {
    status: 200,
    body: { kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "1" }, items },
  };
}

function accessReview(state: ServerState, text: string): Answer {
  const review = parse(text) as
    { spec?: { resourceAttributes?: Record<string, string> } } | undefined;
  const wanted = review?.spec?.resourceAttributes;
  if (!wanted)
    return statusAnswer(
      400,
      "BadRequest",
      "exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
  const { verb = "", resource = "", subresource, namespace = "" } = wanted;
  const allowed = state.allow(
    verb,
    subresource ? `${resource}/${subresource}` : resource,
    namespace,
  );
  return {
    status: 201,
    body: {
      kind: "SelfSubjectAccessReview",
      apiVersion: "authorization.k8s.io/v1",
      spec: review.spec,
      status: { allowed },
    },
  };
}

/** Kubernetes' own shape of an error: `{ kind: "Status", status: "Failure", … }`. */
function statusAnswer(code: number, reason: string, message: string): Answer {
  const body = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    code,
  };
  return { status: code, body };
}

const unauthorized = (): Answer => statusAnswer(401, "Unauthorized", "Unauthorized");
const podNotFound = (name: string): Answer =>
  statusAnswer(404, "NotFound", `pods "${name}" not found`);
const pathNotFound = (): Answer =>
  statusAnswer(404, "NotFound", "the server could not find the requested resource");

function forbidden(verb: string, resource: string, namespace: string, name?: string): Answer {
  const what = name ? `pods "${name}"` : "pods";
  const why = `User "demo" cannot ${verb} resource "${resource}" in API group "" in the namespace "${namespace}"`;
  return statusAnswer(403, "Forbidden", `${what} is forbidden: ${why}`);
}

function authenticated(state: ServerState, request: IncomingMessage): boolean {
  return request.headers.authorization === `Bearer ${state.token}`;
}

function target(
  prefix: string,
  request: IncomingMessage,
): { path: string; query: URLSearchParams } {
  const url = new URL(request.url ?? "/", "https://api-server");
  const inside = url.pathname.startsWith(`${prefix}/`);
  return { path: inside ? url.pathname.slice(prefix.length) : "", query: url.searchParams };
}

function findPod(state: ServerState, namespace: string, name: string): Pod | undefined {
  return state.pods.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
  );
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
