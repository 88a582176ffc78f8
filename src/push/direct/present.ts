import type { Packing } from "../../image/compression.ts";
import type { ImageBlob } from "../../image/content.ts";
import type { StoredLayer } from "../../image/rewrite.ts";
import type { RegistryClient } from "../../registry/types.ts";
import type { KnownCache } from "./known-cache.ts";
import type { KnownLayers } from "./known-layers.ts";

export interface PresentOptions {
  registry: Pick<RegistryClient, "hasBlob" | "mountBlob">;
  repository: string;
  /** What images in the registry told of layers; it may still be on its way. */
  known: KnownLayers | Promise<KnownLayers>;
  cache: KnownCache | undefined;
}

/**
 * Which blobs the repository holds, and in which form. Each is asked for once; one that another repository
 * of the registry holds is mounted.
 */
export class Present {
  readonly #options: PresentOptions;
  readonly #asked = new Map<string, Promise<StoredLayer | undefined>>();

  constructor(options: PresentOptions) {
    this.#options = options;
  }

  /** The form in which the repository holds a layer or another blob; the size is 0 where it lies there as it is. */
  find(digest: string): Promise<StoredLayer | undefined> {
    const known = this.#asked.get(digest);
    if (known) return known;
    const asked = this.#look(digest);
    asked.catch(() => undefined); // whoever awaits it sees it
    this.#asked.set(digest, asked);
    return asked;
  }

  /** Notes what the registry has taken; of layers for later pushes, too. */
  async add(
    { digest, kind }: Pick<ImageBlob, "digest" | "kind">,
    stored: StoredLayer,
  ): Promise<void> {
    this.#asked.set(digest, Promise.resolve(stored));
    const { cache, repository } = this.#options;
    if (kind === "layer") await cache?.rememberLayer(digest, { ...stored, repository });
  }

  async #look(digest: string): Promise<StoredLayer | undefined> {
    const { registry, repository, known, cache } = this.#options;
    const stored = (await known).get(digest);
    // What an image of the repository names is there, as a rule: nothing else is asked for then.
    if (stored && isPacked(stored) && (await registry.hasBlob(repository, stored.digest)))
      return stored;
    const asItIs = registry.hasBlob(repository, digest);
    asItIs.catch(() => undefined); // awaited below
    const remembered = (await cache?.layers(digest)) ?? [];
    for (const { digest, size, packing } of remembered.filter(isPacked))
      if (await registry.hasBlob(repository, digest)) return { digest, size, packing };
    if (await asItIs) return { digest, size: 0, packing: "none" };
    for (const { digest, size, packing, repository: from } of remembered) {
      if (from === repository) continue;
      if (await registry.mountBlob(repository, digest, from)) return { digest, size, packing };
    }
    return undefined;
  }
}

function isPacked({ packing }: { packing: Packing }): boolean {
  return packing !== "none";
}
