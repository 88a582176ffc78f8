import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { KpushError, messageOf } from "../../errors.ts";
import { digestOf, isDigest } from "../../image/digest.ts";
import { documentLimit, packingOf, parseManifest } from "../../image/manifest.ts";
import type { StoredLayer } from "../../image/rewrite.ts";
import { plain } from "../../image/text.ts";
import { putManifests, type ManifestsToPut } from "../direct/manifests.ts";
import type { Uploads } from "../direct/uploads.ts";
import type { RouteResult } from "../types.ts";
import { bodyEntry } from "./body-entry.ts";

export interface FacadeOptions extends Pick<ManifestsToPut, "registry" | "target" | "report"> {
  uploads: Pick<Uploads, "has" | "stored" | "show" | "send">;
  /** Digests of layers, as far as they are known; grows by what the engine asks for. */
  layers: Set<string>;
  /** The repository that the engine is told of. */
  repository: string;
}

/** What an engine takes for the registry. */
export interface Facade {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** What the registry itself got, once the engine has pushed the manifest. */
  readonly result: RouteResult | undefined;
  /** What went wrong first behind it: engines tell a status at most. */
  readonly failure: unknown;
}

/**
 * As much of a registry (OCI distribution specification 1.1) as an engine needs to push one image whose
 * layers are plain. What the registry behind it holds in whatever form is there for the engine; what it
 * sends is packed on its way, and the manifest rewritten for it. So the engine reads no more than what is
 * missing, and need not pack.
 */
export function openFacade(options: FacadeOptions): Facade {
  let result: RouteResult | undefined;
  let failure: unknown;
  const base = `/v2/${options.repository}/`;

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "" } = request;
    const { pathname, searchParams: query } = new URL(request.url ?? "", "http://registry");
    const [kind = "", name = "", upload] = pathname.slice(base.length).split("/");
    if (kind === "blobs" && name === "uploads" && method === "POST")
      return begin(options, query.get("mount"), response);
    if (kind === "blobs" && name === "uploads" && method === "PUT" && upload !== undefined)
      return take(options, query.get("digest"), request, response);
    if (kind === "blobs" && method === "HEAD") {
      // containerd names the blob's media type first (core/remotes/docker/pusher.go).
      const [type = ""] = request.headers.accept?.split(",") ?? [];
      if (packingOf(type.trim())) options.layers.add(name);
      return look(options, name, response);
    }
    if (kind === "manifests" && method === "PUT") {
      const bytes = await readDocument(request);
      const type = request.headers["content-type"] ?? "";
      result = { digest: await putImage(options, bytes, type) };
      return void response.writeHead(201, { "docker-content-digest": digestOf(bytes) }).end();
    }
    // A tag's manifest among them: what was to be compared was compared before.
    refuse(response, method === "HEAD" || method === "GET" ? 404 : 405, "UNSUPPORTED", method);
  }

  return {
    answer(request, response) {
      respond(request, response).catch((error: unknown) => {
        failure ??= error;
        refuse(response, 503, "UNAVAILABLE", plain(messageOf(error)));
        request.resume(); // else the answer waits for the body's end
      });
    },
    get result() {
      return result;
    },
    get failure() {
      return failure;
    },
  };
}

async function look(
  { uploads, layers }: FacadeOptions,
  digest: string,
  response: ServerResponse,
): Promise<void> {
  const stored = isDigest(digest) ? await uploads.stored(digest) : undefined;
  if (!stored) return void response.writeHead(404).end();
  const kind = layers.has(digest) ? "layer" : "config";
  uploads.show({ digest, size: stored.size, kind }, "present");
  response.writeHead(200, { "docker-content-digest": digest }).end();
}

async function begin(
  { uploads, repository }: FacadeOptions,
  mount: string | null,
  response: ServerResponse,
): Promise<void> {
  const base = `/v2/${repository}/blobs`;
  if (mount !== null && isDigest(mount) && (await uploads.has(mount))) {
    const headers = { location: `${base}/${mount}`, "docker-content-digest": mount };
    return void response.writeHead(201, headers).end();
  }
  response.writeHead(202, { location: `${base}/uploads/${randomUUID()}` }).end();
}

async function take(
  { uploads, layers, repository }: FacadeOptions,
  digest: string | null,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const length = request.headers["content-length"] ?? "";
  if (digest === null || !isDigest(digest)) {
    refuse(response, 400, "DIGEST_INVALID", "PUT");
    return;
  }
  if (!/^\d{1,15}$/.test(length)) {
    refuse(response, 411, "SIZE_INVALID", "PUT");
    return;
  }
  const size = Number(length);
  const kind = layers.has(digest) ? "layer" : "config";
  const entry = bodyEntry(request, size, digest);
  try {
    await uploads.send({ digest, size, kind, entry });
  } finally {
    await entry.giveUp();
    request.resume(); // of one that has come by another way meanwhile, or was refused
  }
  const location = `/v2/${repository}/blobs/${digest}`;
  response.writeHead(201, { location, "docker-content-digest": digest }).end();
}

async function putImage(
  { uploads, registry, target, report }: FacadeOptions,
  bytes: Buffer,
  mediaType: string,
): Promise<string> {
  const digest = digestOf(bytes);
  const parsed = parseManifest(bytes, mediaType, digest);
  const stored = new Map<string, StoredLayer>();
  for (const layer of parsed.kind === "manifest" ? parsed.layers : []) {
    const form = await uploads.stored(layer.digest);
    if (form && form.packing !== "none") stored.set(layer.digest, form);
  }
  const manifests: ManifestsToPut["manifests"] = [{ digest, mediaType: parsed.mediaType, bytes }];
  return putManifests({ registry, target, manifests, layers: stored, report });
}

async function readDocument(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > documentLimit) {
      const message = `the engine sent a manifest of more than ${documentLimit} bytes`;
      throw new KpushError("IMAGE_UNSUPPORTED", message, { hint: "see docker image inspect" });
    }
  }
  return Buffer.concat(chunks);
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ errors: [{ code, message: `kpush: ${message}` }] }));
}
