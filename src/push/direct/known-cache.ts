import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Surroundings } from "../../cluster/types.ts";
import { pathsOf } from "../../engine/endpoint.ts";
import type { Packing } from "../../image/compression.ts";
import { isDigest } from "../../image/digest.ts";
import { isRepository } from "../../image/reference.ts";
import type { StoredLayer } from "../../image/rewrite.ts";
import { userDirectory, writeWhole } from "../user-files.ts";

/** A blob that this user has pushed, and the repository where it was last. */
export type RememberedLayer = StoredLayer & { repository: string };

/**
 * What direct pushes came to. Safe to delete, best effort, and never believed: the registry is asked for
 * each blob before it counts.
 */
export interface KnownCache {
  /** The forms in which a layer was pushed, by its diff_id; of other blobs by their digest. */
  layers(digest: string): Promise<RememberedLayer[]>;
  rememberLayer(digest: string, layer: RememberedLayer): Promise<void>;
  /** What the registry had for an image of a containerd store, whose id is not its config's digest. */
  pushed(image: string): Promise<string | undefined>;
  rememberPushed(image: string, digest: string): Promise<void>;
  /** Bounds what is kept, of all registries; see {@link pruneCache}. */
  prune(): Promise<void>;
}

const packings: readonly Packing[] = ["none", "gzip", "zstd"];

/**
 * Opens what the user's cache directory has of a registry; creates it, with mode 0700, at the first write.
 *
 * @param registry - which one: any text that stays the same from push to push
 */
export function openKnownCache(
  surroundings: Pick<Surroundings, "env" | "home" | "platform">,
  registry: string,
): KnownCache {
  const { join } = pathsOf(surroundings.platform);
  const key = createHash("sha256").update(registry).digest("hex").slice(0, 32);
  const all = join(userDirectory("cache", surroundings), "pushed");
  const directory = join(all, key);
  const layers = join(directory, "layers");
  const images = join(directory, "images");
  const hexOf = (digest: string) => digest.slice(digest.indexOf(":") + 1);
  return {
    async layers(digest) {
      if (!isDigest(digest)) return [];
      const found = await Promise.all(
        packings.map(async (packing) => {
          const layer = await read(join(layers, `${hexOf(digest)}.${packing}`));
          return isLayer(layer) ? [{ ...layer, packing }] : [];
        }),
      );
      return found.flat();
    },
    async rememberLayer(digest, { packing, ...layer }) {
      if (isDigest(digest))
        await writeWhole(
          layers,
          join(layers, `${hexOf(digest)}.${packing}`),
          JSON.stringify(layer),
        );
    },
    async pushed(image) {
      const digest = isDigest(image) ? await read(join(images, hexOf(image))) : undefined;
      return isDigest(digest) ? digest : undefined;
    },
    async rememberPushed(image, digest) {
      if (isDigest(image))
        await writeWhole(images, join(images, hexOf(image)), JSON.stringify(digest));
    },
    async prune() {
      const { pruneCache } = await import("./prune-cache.ts");
      await pruneCache(all, surroundings.platform);
    },
  };
}

function isLayer(value: unknown): value is Omit<RememberedLayer, "packing"> {
  const { digest, size, repository } = Object(value) as Record<string, unknown>;
  return (
    isDigest(digest) &&
    Number.isSafeInteger(size) &&
    typeof repository === "string" &&
    isRepository(repository)
  );
}

async function read(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
