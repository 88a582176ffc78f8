import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { RegistryRefusal } from "./registry-answers.ts";
import type { RegistryStore, Upload } from "./registry-store.ts";

/** One request, taken apart. */
export interface RegistryRequest {
  store: RegistryStore;
  request: IncomingMessage;
  response: ServerResponse;
  query: URLSearchParams;
  /** Repository name, validated. */
  name: string;
  /** Turns a path into what `Location` says. */
  location: (path: string) => string;
}

export const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** `GET`, `HEAD` and `DELETE` of `/v2/NAME/blobs/DIGEST`. */
export async function answerBlob(exchange: RegistryRequest, digest: string): Promise<void> {
  const { store, request, response, name } = exchange;
  if (!digestPattern.test(digest)) {
    throw new RegistryRefusal("DIGEST_INVALID", "invalid digest");
  }
  const blobs = store.repositories.get(name)?.blobs;
  const size = store.sizes.get(digest);
  if (!blobs?.has(digest) || size === undefined) {
    throw new RegistryRefusal("BLOB_UNKNOWN", "blob unknown to registry", { detail: digest });
  }
  if (request.method === "DELETE") {
    blobs.delete(digest);
    response.writeHead(202, { "content-length": 0 }).end();
    return;
  }
  if (request.method !== "GET" && request.method !== "HEAD") throw unsupported();

  const range = rangeOf(request.headers.range, size);
  const { start, end } = range ?? { start: 0, end: size - 1 };
  response.writeHead(range ? 206 : 200, {
    "content-type": "application/octet-stream",
    "content-length": end - start + 1,
    "docker-content-digest": digest,
    "accept-ranges": "bytes",
    etag: `"${digest}"`,
    ...(range && { "content-range": `bytes ${start}-${end}/${size}` }),
  });
  if (request.method === "HEAD" || size === 0) response.end();
  else await pipeline(store.read(digest, { start, end }), response);
}

/** `POST /v2/NAME/blobs/uploads/`: begins an upload, mounts a blob, or takes a whole one. */
export async function beginUpload(exchange: RegistryRequest): Promise<void> {
  const { store, request, query, name } = exchange;
  if (request.method !== "POST") throw unsupported();
  const mount = query.get("mount") ?? "";
  if (store.repositories.get(query.get("from") ?? "")?.blobs.has(mount)) {
    store.repository(name).blobs.add(mount);
    answerCreated(exchange, mount);
    return;
  }
  const upload = await store.begin(name);
  const digest = query.get("digest");
  if (digest) await finish(exchange, upload, digest);
  else answerAccepted(exchange, upload);
}

/** `PATCH`, `PUT`, `GET` and `DELETE` of `/v2/NAME/blobs/uploads/ID`. */
export async function continueUpload(exchange: RegistryRequest, id: string): Promise<void> {
  // A request that was cut off may still be writing what has arrived.
  const upload = findUpload(exchange, id);
  const turn = upload.turn.then(() => takeTurn(exchange, findUpload(exchange, id)));
  upload.turn = turn.catch(() => undefined);
  await turn;
}

function findUpload({ store, name }: RegistryRequest, id: string): Upload {
  const upload = store.uploads.get(id);
  if (upload?.repository === name) return upload;
  throw new RegistryRefusal("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
}

async function takeTurn(exchange: RegistryRequest, upload: Upload): Promise<void> {
  const { store, request, response, query } = exchange;
  switch (request.method) {
    case "PATCH":
      await append(exchange, upload);
      answerAccepted(exchange, upload);
      return;
    case "PUT":
      await finish(exchange, upload, query.get("digest") ?? "");
      return;
    case "GET":
      response.writeHead(204, progressHeaders(exchange, upload)).end();
      return;
    case "DELETE":
      await store.cancel(upload);
      response.writeHead(204).end();
      return;
    default:
      throw unsupported();
  }
}

/** Appends the request's body. What arrived before a connection broke stays, so it can be resumed. */
async function append(exchange: RegistryRequest, upload: Upload): Promise<void> {
  const { request } = exchange;
  const range = request.headers["content-range"];
  if (range !== undefined && Number(/^(?:bytes )?(\d+)-\d+/.exec(range)?.[1]) !== upload.size) {
    throw new RegistryRefusal("BLOB_UPLOAD_INVALID", "range is not where the upload stands", {
      status: 416,
      headers: progressHeaders(exchange, upload),
    });
  }
  for await (const chunk of request as AsyncIterable<Buffer>) {
    await upload.file.writeFile(chunk);
    upload.hash.update(chunk);
    upload.size += chunk.length;
  }
}

async function finish(exchange: RegistryRequest, upload: Upload, digest: string): Promise<void> {
  if (!digestPattern.test(digest)) {
    throw new RegistryRefusal("DIGEST_INVALID", "invalid digest", { detail: digest });
  }
  await append(exchange, upload);
  const actual = `sha256:${upload.hash.copy().digest("hex")}`;
  if (actual !== digest) {
    await exchange.store.cancel(upload);
    throw new RegistryRefusal("DIGEST_INVALID", "provided digest did not match uploaded content", {
      detail: actual,
    });
  }
  await exchange.store.commit(upload, digest);
  answerCreated(exchange, digest);
}

function answerAccepted(exchange: RegistryRequest, upload: Upload): void {
  const headers = { ...progressHeaders(exchange, upload), "content-length": 0 };
  exchange.response.writeHead(202, headers).end();
}

function answerCreated({ response, name, location }: RegistryRequest, digest: string): void {
  response
    .writeHead(201, {
      location: location(`/v2/${name}/blobs/${digest}`),
      "docker-content-digest": digest,
      "content-length": 0,
    })
    .end();
}

function progressHeaders(
  { name, location }: RegistryRequest,
  upload: Upload,
): Record<string, string> {
  return {
    location: location(`/v2/${name}/blobs/uploads/${upload.id}`),
    // Nothing at all reads as 0-0 too, as distribution has it.
    range: `0-${Math.max(0, upload.size - 1)}`,
    "docker-upload-uuid": upload.id,
  };
}

/** @returns undefined where all is wanted: no range, or one that this server does not read */
function rangeOf(
  header: string | undefined,
  size: number,
): { start: number; end: number } | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (from === undefined || to === undefined || from + to === "") return undefined;
  const start = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (start <= end) return { start, end };
  throw new RegistryRefusal("UNSUPPORTED", "range cannot be served", {
    status: 416,
    headers: { "content-range": `bytes */${size}` },
  });
}

export function unsupported(): RegistryRefusal {
  return new RegistryRefusal("UNSUPPORTED", "the operation is unsupported");
}
