import { once } from "node:events";
import { request, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { expect } from "vitest";
import type { Registry } from "../../src/demo/registry.ts";
import { digestOf } from "../../src/image/digest.ts";

export const manifestType = "application/vnd.oci.image.manifest.v1+json";
export const indexType = "application/vnd.oci.image.index.v1+json";
export const unknown = `sha256:${"0".repeat(64)}`;

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Code of the first error of the specification's error document. */
  error: string | undefined;
}

export async function ask(
  registry: Registry,
  method: string,
  path: string,
  options: { body?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { body, headers = {} } = options;
  const outgoing = request(new URL(path, registry.url), { method, headers, agent: false });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const bytes = await buffer(response);
  const json = response.headers["content-type"] === "application/json" && bytes.length > 0;
  const document = json ? (JSON.parse(bytes.toString()) as { errors?: { code: string }[] }) : {};
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: bytes,
    error: document.errors?.[0]?.code,
  };
}

/** Begins an upload and returns its path. */
export async function begin(registry: Registry, repository = "app"): Promise<string> {
  const { status, headers } = await ask(registry, "POST", `/v2/${repository}/blobs/uploads/`);
  expect(status).toBe(202);
  return new URL(headers.location ?? "", registry.url).pathname;
}

export async function upload(
  registry: Registry,
  blob: Buffer,
  repository = "app",
): Promise<string> {
  const digest = digestOf(blob);
  const path = await begin(registry, repository);
  const { status } = await ask(registry, "PUT", `${path}?digest=${digest}`, { body: blob });
  expect(status).toBe(201);
  return digest;
}

/** A manifest of one config and one layer, as bytes. */
export function manifestOf(config: string, layer: string): Buffer {
  const descriptor = (digest: string) => ({
    mediaType: "application/octet-stream",
    digest,
    size: 1,
  });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: descriptor(config),
      layers: [descriptor(layer)],
    }),
  );
}

export async function pushManifest(
  registry: Registry,
  tag = "v1",
  repository = "app",
): Promise<string> {
  const config = await upload(registry, Buffer.from(`config of ${tag}`), repository);
  const layer = await upload(registry, Buffer.from("layer"), repository);
  const body = manifestOf(config, layer);
  const { status } = await ask(registry, "PUT", `/v2/${repository}/manifests/${tag}`, {
    body,
    headers: { "content-type": manifestType },
  });
  expect(status).toBe(201);
  return digestOf(body);
}
