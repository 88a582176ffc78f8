import { digestOf } from "../image/digest.ts";
import { answerJson, RegistryRefusal } from "./registry-answers.ts";
import { digestPattern, unsupported, type RegistryRequest } from "./registry-blobs.ts";
import type { Repository, StoredManifest } from "./registry-store.ts";

/** Bytes that a manifest may have; the specification asks registries to take 4 MiB at least. */
const manifestLimit = 4 * 1024 * 1024;
const tagPattern = /^\w[\w.-]{0,127}$/;

/** `GET`, `HEAD`, `PUT` and `DELETE` of `/v2/NAME/manifests/REFERENCE`. */
export async function answerManifest(exchange: RegistryRequest, reference: string): Promise<void> {
  const { store, request, name } = exchange;
  if (!digestPattern.test(reference) && !tagPattern.test(reference)) {
    throw new RegistryRefusal("TAG_INVALID", "invalid tag or digest");
  }
  if (request.method === "PUT") {
    await putManifest(exchange, reference);
    return;
  }
  const repository = store.repositories.get(name);
  const digest = repository?.tags.get(reference) ?? reference;
  const manifest = repository?.manifests.get(digest);
  if (!repository || !manifest) {
    throw new RegistryRefusal("MANIFEST_UNKNOWN", "manifest unknown", { detail: reference });
  }
  if (request.method === "GET" || request.method === "HEAD") serve(exchange, manifest);
  else if (request.method === "DELETE") remove(exchange, repository, reference);
  else throw unsupported();
}

/** `GET /v2/NAME/tags/list`, with `n` and `last`. */
export function listTags({
  store,
  request,
  response,
  query,
  name,
  location,
}: RegistryRequest): void {
  if (request.method !== "GET") throw unsupported();
  const repository = store.repositories.get(name);
  if (!repository) {
    throw new RegistryRefusal("NAME_UNKNOWN", "repository name not known to registry", {
      detail: { name },
    });
  }
  const last = query.get("last") ?? "";
  const all = [...repository.tags.keys()].sort().filter((tag) => tag > last);
  const tags = query.has("n") ? all.slice(0, Number(query.get("n"))) : all;
  const next = location(`/v2/${name}/tags/list?n=${tags.length}&last=${tags.at(-1) ?? ""}`);
  const more = tags.length > 0 && tags.length < all.length;
  answerJson(response, 200, { name, tags }, more ? { link: `<${next}>; rel="next"` } : {});
}

function serve(
  { request, response }: RegistryRequest,
  { digest, mediaType, bytes }: StoredManifest,
): void {
  response
    .writeHead(200, {
      "content-type": mediaType,
      "content-length": bytes.length,
      "docker-content-digest": digest,
      etag: `"${digest}"`,
    })
    .end(request.method === "HEAD" ? undefined : bytes);
}

function remove({ response }: RegistryRequest, repository: Repository, reference: string): void {
  if (!repository.tags.delete(reference)) {
    repository.manifests.delete(reference);
    for (const [tag, digest] of repository.tags) {
      if (digest === reference) repository.tags.delete(tag);
    }
  }
  response.writeHead(202, { "content-length": 0 }).end();
}

async function putManifest(exchange: RegistryRequest, reference: string): Promise<void> {
  const { store, request, response, name, location } = exchange;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > manifestLimit) {
      throw new RegistryRefusal("MANIFEST_INVALID", "manifest is too large", { status: 413 });
    }
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const digest = digestOf(bytes);
  if (digestPattern.test(reference) && reference !== digest) {
    throw new RegistryRefusal("DIGEST_INVALID", "provided digest did not match uploaded content");
  }
  const repository = store.repository(name);
  const mediaType = checkManifest(bytes, request.headers["content-type"], repository);
  repository.manifests.set(digest, { digest, mediaType, bytes });
  if (reference !== digest) repository.tags.set(reference, digest);
  response
    .writeHead(201, {
      location: location(`/v2/${name}/manifests/${digest}`),
      "docker-content-digest": digest,
      "content-length": 0,
    })
    .end();
}

interface Descriptor {
  digest?: unknown;
  urls?: unknown[];
}

/** @returns the media type; throws where the manifest is none or names what is not there */
function checkManifest(
  bytes: Buffer,
  contentType: string | undefined,
  repository: Repository,
): string {
  const manifest = parse(bytes);
  const mediaType = contentType?.split(";")[0]?.trim() ?? manifest.mediaType;
  if (!mediaType || (manifest.mediaType !== undefined && manifest.mediaType !== mediaType)) {
    throw new RegistryRefusal("MANIFEST_INVALID", "media type is missing or contradicts itself");
  }
  const { config, layers = [], manifests = [] } = manifest;
  const blobs = [...(config ? [config] : []), ...layers].filter(({ urls }) => !urls?.length);
  const unknown = [
    ...blobs.filter(({ digest }) => !repository.blobs.has(String(digest))),
    ...manifests.filter(({ digest }) => !repository.manifests.has(String(digest))),
  ];
  if (unknown.length > 0) {
    throw new RegistryRefusal("MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", {
      detail: unknown.map(({ digest }) => digest),
    });
  }
  return mediaType;
}

interface ManifestDocument {
  mediaType?: string;
  config?: Descriptor;
  layers?: Descriptor[];
  manifests?: Descriptor[];
}

function parse(bytes: Buffer): ManifestDocument {
  try {
    const document: unknown = JSON.parse(bytes.toString());
    const { schemaVersion } = document as { schemaVersion?: unknown };
    if (schemaVersion === 2) return document as ManifestDocument;
  } catch {
    // refused below
  }
  throw new RegistryRefusal("MANIFEST_INVALID", "manifest invalid");
}
