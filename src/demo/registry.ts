import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerError, answerJson, RegistryRefusal } from "./registry-answers.ts";
import { answerBlob, beginUpload, continueUpload, type RegistryRequest } from "./registry-blobs.ts";
import { answerManifest, listTags } from "./registry-manifests.ts";
import { RegistryStore } from "./registry-store.ts";

export interface RegistryOptions {
  /** Where its private directory is made; the system's temporary directory unless given. */
  directory?: string;
  /** `Location` as a path alone, as distribution's `http.relativeurls` has it. */
  relativeLocations?: boolean;
  /** Demanded as HTTP Basic where given. */
  login?: { username: string; password: string };
}

/** An OCI distribution registry (specification 1.1) on a socket of its own, without TLS. */
export interface Registry extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Method and path with query of all that was asked, in order. */
  readonly requests: string[];
  /** Content, for tests that look inside. */
  readonly store: RegistryStore;
  /** Forgets all content, as a registry pod without a volume does that is replaced. */
  clear(): Promise<void>;
  /** Sees each request first; true says that it was handled. For faults. */
  onRequest: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
}

const namePattern =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** Starts it on a free port of 127.0.0.1; blobs are files in a private directory until disposed. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const store = await RegistryStore.open(options.directory);
  const http = createServer();
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  const registry: Registry = {
    port,
    url: `http://127.0.0.1:${port}`,
    requests: [],
    store,
    clear: () => store.clear(),
    onRequest: undefined,
    async [Symbol.asyncDispose]() {
      const closed = http[Symbol.asyncDispose]();
      http.closeAllConnections();
      await closed;
      await store[Symbol.asyncDispose]();
    },
  };
  http.on("request", (request, response) => {
    registry.requests.push(`${request.method ?? ""} ${request.url ?? ""}`);
    if (registry.onRequest?.(request, response)) return;
    answer(options, store, request, response).catch((error: unknown) => {
      // A client that left is no one to answer.
      if (!response.destroyed) answerError(response, error);
    });
  });
  return registry;
}

async function answer(
  options: RegistryOptions,
  store: RegistryStore,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader("Docker-Distribution-Api-Version", "registry/2.0");
  checkLogin(options.login, request);
  const base = options.relativeLocations ? "" : `http://${request.headers.host ?? ""}`;
  const url = new URL(request.url ?? "/", "http://registry");
  const { pathname, searchParams: query } = url;
  if (pathname === "/v2/") {
    answerJson(response, 200, {});
    return;
  }
  const route = /^\/v2\/(.+)\/(?:(blobs\/uploads|blobs|manifests)\/([^/]*)|tags\/list)$/.exec(
    pathname,
  );
  if (!route) {
    response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
    return;
  }
  const [, name = "", kind, reference = ""] = route;
  if (!namePattern.test(name)) throw new RegistryRefusal("NAME_INVALID", "invalid repository name");
  const location = (path: string): string => base + path;
  const exchange: RegistryRequest = { store, request, response, query, name, location };
  if (kind === "manifests") await answerManifest(exchange, reference);
  else if (kind === "blobs") await answerBlob(exchange, reference);
  else if (kind === undefined) listTags(exchange);
  else if (reference === "") await beginUpload(exchange);
  else await continueUpload(exchange, reference);
}

function checkLogin(login: RegistryOptions["login"], request: IncomingMessage): void {
  if (!login) return;
  const expected = Buffer.from(`${login.username}:${login.password}`).toString("base64");
  if (request.headers.authorization === `Basic ${expected}`) return;
  throw new RegistryRefusal("UNAUTHORIZED", "authentication required", {
    headers: { "www-authenticate": 'Basic realm="registry"' },
  });
}
