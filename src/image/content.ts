import type { ArchiveEntry } from "./archive-index.ts";

/** One blob that a registry must have before it takes the image's manifests. */
export interface ImageBlob {
  digest: string;
  /** Bytes. */
  size: number;
  kind: "config" | "layer" | "attestation";
  entry: ArchiveEntry;
}

/** All that has to be in a registry for one image. */
export interface ImageContent {
  /** In the order in which a registry takes them; the last one gets the tag. */
  manifests: [...ImageDocument[], ImageDocument];
  /** Each digest once. */
  blobs: ImageBlob[];
  /** Of the config, where the tag will name a manifest and not an index. */
  configDigest: string | undefined;
  /** Of the images in it, e.g. `linux/arm64/v8`; empty where one does not say its own. */
  platforms: string[];
  /** The one platform that is pushed of an index which has more; undefined where all goes. */
  onlyPlatform: string | undefined;
}

/** A manifest or an index, as the very bytes that its digest is of. */
export interface ImageDocument {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}
