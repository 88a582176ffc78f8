import type { Packing } from "./compression.ts";
import type { ImageContent, ImageDocument } from "./content.ts";
import { digestOf } from "./digest.ts";
import {
  isObject,
  layerTypes,
  mediaTypes,
  packingOf,
  parseDocument,
  type Family,
} from "./manifest.ts";

/** A layer as a registry holds it. */
export interface StoredLayer {
  digest: string;
  /** Bytes. */
  size: number;
  packing: Packing;
}

type Documents = ImageContent["manifests"];
type Json = Record<string, unknown>;

/**
 * Rewrites an image's manifests, and the indexes above them, for layers that lie in the registry in
 * another form, or for a registry that knows the other family of media types. The config's bytes, and
 * with them the image's id, stay. What needs no change keeps its very bytes.
 *
 * @param documents - children before the indexes that name them
 * @param layers - by the digest that the manifests have for them
 */
export function rewriteImage(
  documents: Documents,
  layers: ReadonlyMap<string, StoredLayer>,
  family?: Family,
): Documents {
  const made = new Map<string, ImageDocument>();
  const [first, ...others] = documents;
  const rewrite = (document: ImageDocument): ImageDocument => {
    const after = rewriteDocument(document, layers, family, made);
    made.set(document.digest, after);
    return after;
  };
  return [rewrite(first), ...others.map(rewrite)] as ImageDocument[] as Documents;
}

/** The family of a document's media type. */
export function familyOf({ mediaType }: Pick<ImageDocument, "mediaType">): Family {
  return mediaType.startsWith("application/vnd.docker.") ? "docker" : "oci";
}

function rewriteDocument(
  document: ImageDocument,
  layers: ReadonlyMap<string, StoredLayer>,
  wanted: Family | undefined,
  made: ReadonlyMap<string, ImageDocument>,
): ImageDocument {
  const json = parseDocument(document.bytes, document.digest);
  const before = JSON.stringify(json);
  const listed = objects(json["layers"]);
  const zstd = listed.some(({ digest }) => layers.get(String(digest))?.packing === "zstd");
  // Docker's own types know no zstd.
  const converted = wanted ?? (zstd ? "oci" : undefined);
  const family = converted ?? familyOf(document);
  const mediaType = typeIn(family, document.mediaType);
  if (mediaType !== document.mediaType) json["mediaType"] = mediaType;
  for (const layer of listed) {
    const stored = layers.get(String(layer["digest"]));
    const packing = stored?.packing ?? packingOf(String(layer["mediaType"]));
    if (packing && (stored || converted)) layer["mediaType"] = layerTypes[family][packing];
    if (stored) Object.assign(layer, { digest: stored.digest, size: stored.size });
  }
  for (const child of objects(json["manifests"])) moveChild(child, made);
  if (converted && isObject(json["config"])) {
    json["config"]["mediaType"] = typeIn(family, String(json["config"]["mediaType"]));
  }
  const after = JSON.stringify(json);
  if (after === before) return document;
  const bytes = Buffer.from(after);
  return { digest: digestOf(bytes), mediaType, bytes };
}

function moveChild(child: Json, made: ReadonlyMap<string, ImageDocument>): void {
  const { annotations } = child;
  const moved = made.get(String(child["digest"]));
  if (moved) {
    const { digest, mediaType, bytes } = moved;
    Object.assign(child, { mediaType, digest, size: bytes.length });
  }
  if (!isObject(annotations)) return;
  const subject = made.get(String(annotations["vnd.docker.reference.digest"]));
  if (subject) annotations["vnd.docker.reference.digest"] = subject.digest;
}

/** The counterpart of a media type in a family; itself where it has none. */
function typeIn(family: Family, mediaType: string): string {
  const pairs = [
    [mediaTypes.ociIndex, mediaTypes.dockerList],
    [mediaTypes.ociManifest, mediaTypes.dockerManifest],
    [mediaTypes.ociConfig, mediaTypes.dockerConfig],
  ] as const;
  const [oci, docker] = pairs.find((pair) => pair.some((type) => type === mediaType)) ?? [];
  return (family === "oci" ? oci : docker) ?? mediaType;
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
