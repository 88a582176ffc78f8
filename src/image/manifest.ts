import { KpushError, messageOf } from "../errors.ts";
import type { Packing } from "./compression.ts";
import { isDigest } from "./digest.ts";
import { parseJson } from "./json.ts";
import { plain } from "./text.ts";

/** Bytes that a manifest, an index or a config may have. */
export const documentLimit = 4 * 1024 * 1024;

/** An index may hold indexes, which hold manifests; nothing deeper. */
export const indexDepth = 2;

/** Media types of the OCI image specification 1.1 and of Docker's image manifest version 2, schema 2. */
export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerGzipLayer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
} as const;

/** The two sets of media types: OCI's, and Docker's which came before it. */
export type Family = "oci" | "docker";

/** Media types of a layer, by how it is packed. Docker's for zstd is containerd's invention. */
export const layerTypes: Record<Family, Record<Packing, string>> = {
  oci: {
    none: "application/vnd.oci.image.layer.v1.tar",
    gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
    zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  },
  docker: {
    none: mediaTypes.dockerLayer,
    gzip: mediaTypes.dockerGzipLayer,
    zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
  },
};

/** How a layer of this media type is packed; undefined where it is none that kpush knows. */
export function packingOf(mediaType: string): Packing | undefined {
  for (const types of Object.values(layerTypes)) {
    if (mediaType === types.none) return "none";
    if (mediaType === types.gzip) return "gzip";
    if (mediaType === types.zstd) return "zstd";
  }
  return undefined;
}

/** What a request for a manifest accepts. */
export const manifestTypes = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
] as const;

/** One reference to content; validated. `size` in bytes. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations: Record<string, string>;
  /** `os/architecture[/variant]`; undefined where it is not said. */
  platform: string | undefined;
  /** Whether it is content that lies elsewhere and is not pushed (`urls`, Windows base layers). */
  foreign: boolean;
}

/** A manifest of one image. */
export interface ImageManifest {
  kind: "manifest";
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
}

/** A list of manifests, usually one for each platform. */
export interface ImageIndex {
  kind: "index";
  mediaType: string;
  manifests: Descriptor[];
}

/**
 * Reads a manifest or index and validates all that kpush relies on.
 *
 * @param mediaType - what the descriptor or the `Content-Type` says, where the document itself does not
 * @param what - how to call it in an error, e.g. its digest
 * @throws KpushError `ARCHIVE_INVALID`
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType: string | undefined,
  what: string,
): ImageManifest | ImageIndex {
  const document = parseDocument(bytes, what);
  const type = document["mediaType"] ?? mediaType;
  if (document["schemaVersion"] !== 2) throw invalid(what, "it is no manifest of schema version 2");
  if (Array.isArray(document["manifests"])) {
    return {
      kind: "index",
      mediaType: typeof type === "string" ? type : mediaTypes.ociIndex,
      manifests: document["manifests"].map((one) => parseDescriptor(one, what)),
    };
  }
  const layers = document["layers"] ?? [];
  if (!Array.isArray(layers)) throw invalid(what, "its layers are no list");
  return {
    kind: "manifest",
    mediaType: typeof type === "string" ? type : mediaTypes.ociManifest,
    config: parseDescriptor(document["config"], what),
    layers: layers.map((one) => parseDescriptor(one, what)),
  };
}

/**
 * Reads a JSON object of at most {@link documentLimit} bytes.
 *
 * @throws KpushError `ARCHIVE_INVALID`
 */
export function parseDocument(bytes: Uint8Array, what: string): Record<string, unknown> {
  if (bytes.length > documentLimit) throw invalid(what, "it is larger than 4 MiB");
  let document: unknown;
  try {
    document = parseJson(new TextDecoder().decode(bytes));
  } catch (error) {
    throw invalid(what, messageOf(error), error);
  }
  if (isObject(document)) return document;
  throw invalid(what, "it is no JSON object");
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether this entry of an index describes another one (provenance, SBOM) and is no image. */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  return (
    annotations["vnd.docker.reference.type"] === "attestation-manifest" ||
    platform === "unknown/unknown"
  );
}

function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw invalid(what, "a descriptor is missing or no object");
  const { mediaType, digest, size, annotations, platform, urls } = value;
  if (!isDigest(digest)) throw invalid(what, `${quote(digest)} is no digest`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(what, `${digest} has no valid size`);
  }
  if (typeof mediaType !== "string") throw invalid(what, `${digest} has no media type`);
  return {
    mediaType,
    digest,
    size,
    annotations: isObject(annotations) ? strings(annotations) : {},
    platform: isObject(platform) ? platformOf(platform) : undefined,
    foreign: Array.isArray(urls) && urls.length > 0,
  };
}

/** `os/architecture[/variant]` of a config, or of a descriptor's `platform`; undefined where it says neither. */
export function platformOf(source: Record<string, unknown>): string | undefined {
  const { os, architecture, variant } = source;
  if (typeof os !== "string" || typeof architecture !== "string") return undefined;
  if (os === "" || architecture === "") return undefined;
  const parts =
    typeof variant === "string" && variant !== ""
      ? [os, architecture, variant]
      : [os, architecture];
  return plain(parts.join("/"), 100);
}

function strings(object: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(object).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );
}

function quote(value: unknown): string {
  return value === undefined ? "nothing" : plain(JSON.stringify(value), 100);
}

function invalid(what: string, why: string, cause?: unknown): KpushError {
  return new KpushError(
    "ARCHIVE_INVALID",
    `the image is damaged: ${plain(what, 200)}: ${plain(why, 300)}`,
    {
      hint: "save or build the image again",
      cause,
    },
  );
}
