import { request as openRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { ApiServer } from "../../src/demo/api-server.ts";

/** What the proxy to pods was asked, e.g. `POST /v2/app/blobs/uploads/`. */
export interface PodProxy {
  requests: string[];
  /** Answers in place of the pod; undefined goes on to it. */
  fault: ((request: string) => { status: number; message: string } | undefined) | undefined;
}

const proxyPath = /^(\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/:]+):(\d+)\/proxy)(\/.*)$/;
const verbs: Record<string, string> = {
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/**
 * Has an API server proxy requests to pods, all of them to one port of this machine, as the real one does:
 * verbs go by the method, and a Location gets the proxy's own address in front.
 */
export function servePodProxy(api: ApiServer, port: number): PodProxy {
  const proxy: PodProxy = { requests: [], fault: undefined };
  api.onRequest = (request, response) => {
    const [, prefix = "", namespace = "", pod = "", , path] =
      proxyPath.exec(request.url ?? "") ?? [];
    if (path === undefined) return false;
    const { method = "" } = request;
    proxy.requests.push(`${method} ${path}`);
    const verb = verbs[method] ?? "get";
    const fault = proxy.fault?.(`${method} ${path}`);
    if (fault) refuse(response, fault.status, fault.message);
    else if (request.headers.authorization !== `Bearer ${api.token}`)
      refuse(response, 401, "Unauthorized");
    else if (!api.allow(verb, "pods/proxy", namespace))
      refuse(
        response,
        403,
        `pods "${pod}" is forbidden: User "dev" cannot ${verb} resource "pods/proxy"`,
      );
    else if (!api.pods.some(({ metadata }) => metadata.name === pod))
      refuse(response, 404, `pods "${pod}" not found`);
    else forward(request, response, { port, path, origin: `${api.url}${prefix}` });
    return true;
  };
  return proxy;
}

function refuse(response: ServerResponse, code: number, message: string): void {
  const body = JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    message,
    code,
  });
  response.writeHead(code, { "content-type": "application/json" }).end(body);
}

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  { port, path, origin }: { port: number; path: string; origin: string },
): void {
  const { method, headers } = request;
  const rest = { ...headers };
  delete rest.authorization;
  const outgoing = openRequest(
    { host: "127.0.0.1", port, path, method, headers: rest },
    (answer) => {
      const { location } = answer.headers;
      const moved = location?.startsWith("/") ? { location: origin + location } : {};
      response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...moved });
      answer.pipe(response);
    },
  );
  outgoing.on("error", (error) =>
    refuse(response, 503, `error trying to reach service: ${error.message}`),
  );
  response.on("close", () => outgoing.destroy());
  request.pipe(outgoing);
}
