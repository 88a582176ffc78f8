import { createHash } from "node:crypto";
import { messageOf } from "../errors.ts";
import type { ArchiveEntry, ArchiveIndex } from "./archive-index.ts";
import type { ImageBlob, ImageContent } from "./content.ts";
import { digestOf, isDigest } from "./digest.ts";
import { parseJson } from "./json.ts";
import { documentLimit, isObject, mediaTypes, parseDocument, platformOf } from "./manifest.ts";
import { requirePlatform } from "./platform.ts";

/** One image of manifest.json: names of entries, and the image's own. */
export interface DockerImage {
  config: string;
  layers: string[];
  names: string[];
}

/**
 * Reads manifest.json of a `docker save` archive (moby, image/tarexport): the images in their order.
 * One that it lists several times is one image with all those names.
 *
 * @throws KpushError `ARCHIVE_INVALID`
 */
export async function readDockerArchive(
  index: ArchiveIndex,
): Promise<[DockerImage, ...DockerImage[]]> {
  const list = parseList(index, await readEntry(index, "manifest.json"));
  index.checkListed(list.length, "manifest.json");
  index.checkListed(
    list.reduce((sum, { names }) => sum + names.length, 0),
    "manifest.json",
  );
  const images = new Map<ArchiveEntry | string, DockerImage>();
  for (const image of list) {
    const config = index.find(image.config) ?? image.config;
    const names = [...(images.get(config)?.names ?? []), ...image.names];
    images.set(config, { ...image, names: [...new Set(names)] });
  }
  const [first, ...others] = images.values();
  if (!first) throw index.damaged("its manifest.json lists no image");
  return [first, ...others];
}

/**
 * Makes the manifest that such an archive has none of: Docker's schema 2, so that old registries take
 * it too, with the config and the layers as they are. A plain layer's digest is its diff_id.
 *
 * @throws KpushError `ARCHIVE_INVALID`, `PLATFORM_NOT_FOUND`, `IMAGE_UNSUPPORTED`
 */
export async function assembleDockerImage(
  index: ArchiveIndex,
  image: DockerImage,
  wanted: string | undefined,
): Promise<ImageContent> {
  const bytes = await readEntry(index, image.config);
  const document = parseDocument(bytes, image.config);
  const platform = platformOf(document);
  requirePlatform(wanted, platform, index.what);
  const diffIds = diffIdsOf(document);
  if (diffIds?.length !== image.layers.length)
    throw index.damaged("its config and its manifest.json differ in layers");

  const config: ImageBlob = {
    digest: digestOf(bytes),
    size: bytes.length,
    kind: "config",
    entry: index.get(image.config),
  };
  const layers = await Promise.all(
    image.layers.map((name, at) => describeLayer(index, name, diffIds[at] ?? "")),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, size: config.size, digest: config.digest },
      layers: layers.map(({ mediaType, blob: { size, digest } }) => ({ mediaType, size, digest })),
    }),
  );
  const blobs = new Map(
    [config, ...layers.map(({ blob }) => blob)].map((blob) => [blob.digest, blob]),
  );
  return {
    manifests: [
      { digest: digestOf(manifest), mediaType: mediaTypes.dockerManifest, bytes: manifest },
    ],
    blobs: [...blobs.values()],
    configDigest: config.digest,
    platforms: platform === undefined ? [] : [platform],
    onlyPlatform: undefined,
  };
}

/** The content of an entry that must be small. */
export async function readEntry(index: ArchiveIndex, name: string): Promise<Buffer> {
  const entry = index.get(name);
  if (entry.size > documentLimit) throw index.damaged(`${name} is larger than 4 MiB`);
  return entry.head(entry.size);
}

async function describeLayer(
  index: ArchiveIndex,
  name: string,
  diffId: string,
): Promise<{ mediaType: string; blob: ImageBlob }> {
  const entry = index.get(name);
  const plainLayer = entry.digest === diffId || !isGzip(await entry.head(2));
  // Docker's own archives have plain layers; those of jib, ko or bazel compressed ones.
  const digest = plainLayer ? diffId : (entry.digest ?? (await digestOfEntry(entry)));
  if (entry.digest !== undefined && entry.digest !== digest) {
    throw index.damaged(`the content of ${name} is not what the config says`);
  }
  return {
    mediaType: plainLayer ? mediaTypes.dockerLayer : mediaTypes.dockerGzipLayer,
    blob: { digest, size: entry.size, kind: "layer", entry },
  };
}

function isGzip(start: Buffer): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

async function digestOfEntry(entry: ArchiveEntry): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of entry.open(0) as AsyncIterable<Buffer>) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

function diffIdsOf({ rootfs }: Record<string, unknown>): string[] | undefined {
  const ids = isObject(rootfs) ? (rootfs["diff_ids"] ?? []) : undefined;
  return Array.isArray(ids) && ids.every(isDigest) ? ids : undefined;
}

function parseList(index: ArchiveIndex, bytes: Buffer): DockerImage[] {
  let list: unknown;
  try {
    list = parseJson(bytes.toString());
  } catch (error) {
    throw index.damaged(`manifest.json: ${messageOf(error)}`, error);
  }
  if (!Array.isArray(list)) throw index.damaged("its manifest.json is no list");
  return list.map((image: unknown) => {
    const { Config, Layers, RepoTags } = isObject(image) ? image : {};
    if (typeof Config !== "string") throw index.damaged("its manifest.json names no config");
    return { config: Config, layers: strings(Layers), names: strings(RepoTags) };
  });
}

function strings(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
}
