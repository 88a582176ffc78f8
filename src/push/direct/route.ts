import type { Engine, LocalImage } from "../../engine/types.ts";
import type { Report } from "../../events.ts";
import { readArchiveImage } from "../../image/archive.ts";
import type { Compression } from "../../image/compression.ts";
import type { ImageBlob, ImageContent } from "../../image/content.ts";
import { packingOf, parseManifest } from "../../image/manifest.ts";
import type { RegistryClient } from "../../registry/types.ts";
import type { Archive } from "../archive/source.ts";
import { ArchiveStream } from "../archive/stream.ts";
import type { RouteResult, Target } from "../types.ts";
import type { KnownCache } from "./known-cache.ts";
import type { KnownLayers } from "./known-layers.ts";
import { putManifests } from "./manifests.ts";
import { choosePacker } from "./packer.ts";
import { Uploads, type UploadsOptions } from "./uploads.ts";

/** What the direct route reads an image from. `request.image` is how the user wrote it. */
export type DirectSource = { request: { image: string } } & (
  | {
      kind: "engine";
      engine: Pick<Engine, "export" | "store">;
      local: Pick<LocalImage, "id" | "diffIds"> & Partial<Pick<LocalImage, "manifests">>;
    }
  | { kind: "archive"; archive: Pick<Archive, "content"> }
);

export interface DirectRoute {
  source: DirectSource;
  target: Target;
  registry: RegistryClient;
  /** For large layers that are packed; the registry's client unless given. */
  uploader?: UploadsOptions["uploader"];
  platform: string | undefined;
  report: Report;
  signal: AbortSignal;
  /** Where temporary files go; /var/tmp unless given. */
  directory?: string | undefined;
  /** Of layers that come plain; none unless given. */
  compression?: Compression | undefined;
  /** Milliseconds of a round trip to the registry. */
  roundTrip?: number | undefined;
  /** What images in the repository told of layers. */
  known?: KnownLayers | undefined;
  /** What earlier pushes left. */
  cache?: KnownCache | undefined;
}

export interface DirectResult extends RouteResult {
  /** Layers of all that was pushed, and their bytes in the registry. */
  layers: number;
  bytes: number;
}

/**
 * Reads an image from an archive or an engine's export and uploads it: what the registry has already, in
 * whatever form, is left out, plain layers are compressed, and the manifest that gets the tag goes last.
 *
 * @throws KpushError `ARCHIVE_INVALID`, `IMAGE_UNSUPPORTED`, `PLATFORM_NOT_FOUND`, `ENGINE_*`,
 *   `LOCAL_DISK`, `USAGE`, or as the registry client
 */
export async function directRoute(route: DirectRoute): Promise<DirectResult> {
  const { source, target, registry, uploader, platform, report, signal, directory } = route;
  const { known, cache } = route;
  const { image } = source.request;
  const { compression = { kind: "none" }, roundTrip = 0 } = route;
  const packer = choosePacker(compression, { roundTrip });
  const { repository } = target;
  using uploads = new Uploads({
    ...{ registry, uploader, repository, image, report, known, cache, packer },
  });
  if (source.kind === "archive") {
    const content = await source.archive.content(platform);
    uploads.takeAsPlain(plainLayers(content));
    return await finish(route, uploads, content);
  }

  const { engine, local } = source;
  if (isOneImage(source, platform)) uploads.takeAsPlain(local.diffIds);
  // A containerd store may keep layers compressed, under other digests.
  const expected = engine.store === "containerd" ? [] : local.diffIds;
  uploads.ask(expected);
  await using stream = new ArchiveStream({
    what: `the engine's export of ${image}`,
    expected,
    sink: uploads,
    signal,
    directory,
  });
  await stream.read(await engine.export(local.id, platform));
  const exported = await readArchiveImage(stream.index);
  const result = await finish(route, uploads, await exported.content(platform));
  if (result.digest !== local.id && engine.store === "containerd" && platform === undefined)
    await cache?.rememberPushed(local.id, result.digest);
  return result;
}

/** Whether one manifest will go up: an index may hold attestations, which name its manifests' digests. */
function isOneImage(
  { engine, local }: DirectSource & { kind: "engine" },
  platform: string | undefined,
): boolean {
  if (engine.store !== "containerd" || platform !== undefined) return true;
  return local.manifests?.length === 1 && local.manifests[0]?.digest === local.id;
}

/** Of an image that is one manifest, see {@link isOneImage}. */
function plainLayers({ manifests }: ImageContent): string[] {
  const [only, ...others] = manifests;
  if (others.length > 0) return [];
  const parsed = parseManifest(only.bytes, only.mediaType, only.digest);
  const layers = parsed.kind === "manifest" ? parsed.layers : [];
  return layers.flatMap(({ digest, mediaType }) =>
    packingOf(mediaType) === "none" ? [digest] : [],
  );
}

async function finish(
  { source, target, registry, platform, report, cache }: DirectRoute,
  uploads: Uploads,
  content: ImageContent,
): Promise<DirectResult> {
  const { blobs, manifests, onlyPlatform } = content;
  if (onlyPlatform !== undefined && platform === undefined) {
    report({
      type: "warning",
      message: `only ${onlyPlatform} of ${source.request.image} is pushed: its other platforms are not here`,
    });
  }
  const layers = blobs.filter(({ kind }) => kind === "layer");
  uploads.ask(blobs.map(({ digest }) => digest));
  for (const layer of layers)
    if (!(await uploads.has(layer.digest))) uploads.show(layer, "waiting");
  // The largest first: what takes longest must not begin last.
  const ordered = blobs.toSorted((one, two) => two.size - one.size);
  await Promise.all(ordered.map((blob) => uploads.send(blob)));

  const stored = await storedLayers(uploads, layers);
  const digest = await putManifests({ registry, target, manifests, layers: stored, report });
  const bytes = layers.reduce(
    (sum, { digest, size }) => sum + (stored.get(digest)?.size ?? size),
    0,
  );
  await cache?.prune();
  return { digest, layers: layers.length, bytes };
}

/** The layers that lie in the registry in another form than the manifests say. */
async function storedLayers(uploads: Uploads, layers: readonly ImageBlob[]) {
  const stored = new Map<string, { digest: string; size: number; packing: "gzip" | "zstd" }>();
  for (const { digest } of layers) {
    const form = await uploads.stored(digest);
    if (form && form.packing !== "none" && form.digest !== digest)
      stored.set(digest, { ...form, packing: form.packing });
  }
  return stored;
}
