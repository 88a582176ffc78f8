import { isDigest } from "../../image/digest.ts";
import {
  documentLimit,
  isAttestation,
  isObject,
  packingOf,
  parseDocument,
  parseManifest,
  type Descriptor,
  type ImageManifest,
} from "../../image/manifest.ts";
import type { StoredLayer } from "../../image/rewrite.ts";
import type { Manifest, RegistryClient } from "../../registry/types.ts";

/** Blobs that hold layers, by the layers' diff_ids. */
export type KnownLayers = ReadonlyMap<string, StoredLayer>;

type Reader = Pick<RegistryClient, "getManifest" | "getBlob">;

/** Images of an index that are looked at. */
const mostImages = 4;

/**
 * Reads from an image in the registry which blob holds which layer, whoever pushed it and however it was
 * compressed. Best effort: what cannot be read is not known. A node checks a layer against its diff_id, so that a
 * registry which lies here can break a pull and nothing more.
 */
export async function knownLayers(
  registry: Reader,
  repository: string,
  manifest: Manifest,
): Promise<KnownLayers> {
  const known = new Map<string, StoredLayer>();
  const images = await imagesIn(registry, repository, manifest).catch(() => []);
  await Promise.all(
    images.map(async ({ config, layers }) => {
      const diffIds = await diffIdsOf(registry, repository, config).catch(() => []);
      if (diffIds.length !== layers.length) return;
      for (const [at, { digest, size, mediaType, foreign }] of layers.entries()) {
        const packing = packingOf(mediaType);
        if (packing && !foreign) known.set(diffIds[at] ?? "", { digest, size, packing });
      }
    }),
  );
  return known;
}

async function imagesIn(
  registry: Reader,
  repository: string,
  { bytes, mediaType, digest }: Manifest,
): Promise<ImageManifest[]> {
  const parsed = parseManifest(bytes, mediaType, digest);
  if (parsed.kind === "manifest") return [parsed];
  const images = parsed.manifests.filter((one) => !isAttestation(one)).slice(0, mostImages);
  const all = await Promise.all(
    images.map(async (one): Promise<ImageManifest[]> => {
      const manifest = await registry.getManifest(repository, one.digest);
      if (!manifest) return [];
      const image = parseManifest(manifest.bytes, manifest.mediaType, manifest.digest);
      return image.kind === "manifest" ? [image] : [];
    }),
  );
  return all.flat();
}

async function diffIdsOf(
  registry: Reader,
  repository: string,
  { digest, size }: Descriptor,
): Promise<string[]> {
  if (size > documentLimit) return [];
  const chunks: Buffer[] = [];
  let read = 0;
  for await (const chunk of (await registry.getBlob(repository, digest)) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    read += chunk.length;
    if (read > size) return [];
  }
  const { rootfs } = parseDocument(Buffer.concat(chunks), digest);
  const ids = isObject(rootfs) ? rootfs["diff_ids"] : undefined;
  return Array.isArray(ids) && ids.every(isDigest) ? ids : [];
}
