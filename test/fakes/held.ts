import { gunzipSync } from "node:zlib";
import { digestOf } from "../../src/image/digest.ts";
import { manifestTypes, parseManifest } from "../../src/image/manifest.ts";

/** What a registry holds under a tag. */
export interface HeldImage {
  /** Of the manifest that the tag names. */
  digest: string;
  /** Digest of the config. */
  id: string;
  /** Digests of the layers' plain content. */
  diffIds: string[];
}

/**
 * Fetches an image whole from a registry, and hashes all of it anew.
 *
 * @param url - `http://HOST:PORT` of the registry
 * @returns undefined where the registry has no such tag
 * @throws Error where the manifest or a blob has another content than its digest, or is not there
 */
export async function heldImage(
  url: string,
  repository: string,
  tag: string,
): Promise<HeldImage | undefined> {
  const base = `${url}/v2/${repository}`;
  const headers = { accept: manifestTypes.join(", ") };
  const answer = await fetch(`${base}/manifests/${tag}`, { headers });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (answer.status === 404) return undefined;
  const digest = answer.headers.get("docker-content-digest") ?? "";
  if (digestOf(bytes) !== digest) throw new Error(`another manifest than ${digest}`);
  const manifest = parseManifest(bytes, answer.headers.get("content-type") ?? "", digest);
  if (manifest.kind !== "manifest") throw new Error(`${repository}:${tag} is an index`);

  const blob = async (wanted: string): Promise<Buffer> => {
    const { status, ...answer } = await fetchBytes(`${base}/blobs/${wanted}`);
    if (status !== 200) throw new Error(`${repository}:${tag} names ${wanted}: ${status}`);
    if (digestOf(answer.bytes) !== wanted) throw new Error(`another content than ${wanted}`);
    return answer.bytes;
  };
  await blob(manifest.config.digest);
  const layers = await Promise.all(manifest.layers.map(({ digest }) => blob(digest)));
  const diffIds = layers.map((layer) => digestOf(unpacked(layer)));
  return { digest, id: manifest.config.digest, diffIds };
}

async function fetchBytes(url: string): Promise<{ status: number; bytes: Buffer }> {
  const answer = await fetch(url);
  return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
}

function unpacked(layer: Buffer): Buffer {
  return layer[0] === 0x1f && layer[1] === 0x8b ? gunzipSync(layer) : layer;
}
