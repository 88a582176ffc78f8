import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import type { Registry } from "../../src/demo/registry.ts";
import { digestOf } from "../../src/image/digest.ts";
import { parseManifest } from "../../src/image/manifest.ts";

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
 * Reads all that a registry holds of a repository, and hashes it anew.
 *
 * @returns the image under each tag
 * @throws Error where a manifest or a blob has another content than its digest, or a manifest names what is not there
 */
export async function wholeImages(
  { store }: Registry,
  repository: string,
): Promise<Map<string, HeldImage>> {
  const { manifests, tags, blobs } = store.repository(repository);
  const contents = new Map<string, Buffer>();
  for (const digest of blobs) {
    const content = await buffer(store.read(digest));
    if (digestOf(content) !== digest) throw new Error(`another content than ${digest}`);
    contents.set(digest, content);
  }
  const contentOf = (digest: string) => {
    const content = contents.get(digest);
    if (!content) throw new Error(`${digest} is named by a manifest, and not there`);
    return content;
  };
  const images = new Map<string, HeldImage>();
  for (const [digest, { mediaType, bytes }] of manifests) {
    if (digestOf(bytes) !== digest) throw new Error(`another manifest than ${digest}`);
    const manifest = parseManifest(bytes, mediaType, digest);
    if (manifest.kind !== "manifest") throw new Error("indexes are not read here");
    contentOf(manifest.config.digest);
    const diffIds = manifest.layers.map(({ digest }) => digestOf(unpacked(contentOf(digest))));
    images.set(digest, { digest, id: manifest.config.digest, diffIds });
  }
  return new Map(
    [...tags].map(([tag, digest]) => {
      const image = images.get(digest);
      if (!image) throw new Error(`${tag} names ${digest}, which is not there`);
      return [tag, image];
    }),
  );
}

function unpacked(layer: Buffer): Buffer {
  return layer[0] === 0x1f && layer[1] === 0x8b ? gunzipSync(layer) : layer;
}
