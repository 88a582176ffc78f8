import type { Engine, LocalImage } from "../../engine/types.ts";
import type { Report } from "../../events.ts";
import { readArchiveImage } from "../../image/archive.ts";
import type { ImageContent } from "../../image/content.ts";
import type { RegistryClient } from "../../registry/types.ts";
import type { Archive } from "../archive/source.ts";
import { ArchiveStream } from "../archive/stream.ts";
import { Uploads } from "./uploads.ts";
import type { RouteResult, Target } from "../types.ts";

/** What the direct route reads an image from. `request.image` is how the user wrote it. */
export type DirectSource = { request: { image: string } } & (
  | {
      kind: "engine";
      engine: Pick<Engine, "export" | "store">;
      local: Pick<LocalImage, "id" | "diffIds">;
    }
  | { kind: "archive"; archive: Pick<Archive, "content"> }
);

export interface DirectRoute {
  source: DirectSource;
  target: Target;
  registry: RegistryClient;
  platform: string | undefined;
  report: Report;
  signal: AbortSignal;
  /** Where temporary files go; /var/tmp unless given. */
  directory?: string | undefined;
}

export interface DirectResult extends RouteResult {
  /** Layers of all that was pushed, and their bytes in the registry. */
  layers: number;
  bytes: number;
}

/**
 * Reads an image from an archive or an engine's export and uploads it: layers as they are, what the
 * registry has already is left out, one layer at a time, the manifest that gets the tag last.
 *
 * @throws KpushError `ARCHIVE_INVALID`, `IMAGE_UNSUPPORTED`, `PLATFORM_NOT_FOUND`, `ENGINE_*`,
 *   `LOCAL_DISK`, or as the registry client
 */
export async function directRoute(route: DirectRoute): Promise<DirectResult> {
  const { source, target, registry, platform, report, signal, directory } = route;
  const { image } = source.request;
  using uploads = new Uploads({ registry, repository: target.repository, image, report });
  if (source.kind === "archive")
    return await finish(route, uploads, await source.archive.content(platform));

  const { engine, local } = source;
  // A containerd store may keep layers compressed, under other digests.
  const expected = engine.store === "containerd" ? [] : local.diffIds;
  for (const digest of expected) void uploads.has(digest); // all asked at once
  await using stream = new ArchiveStream({
    what: `the engine's export of ${image}`,
    expected,
    sink: uploads,
    signal,
    directory,
  });
  await stream.read(await engine.export(local.id, platform));
  const exported = await readArchiveImage(stream.index);
  return await finish(route, uploads, await exported.content(platform));
}

async function finish(
  { source, target, registry, platform, report }: DirectRoute,
  uploads: Uploads,
  content: ImageContent,
): Promise<DirectResult> {
  const { blobs, manifests, onlyPlatform } = content;
  const { repository, tags } = target;
  if (onlyPlatform !== undefined && platform === undefined) {
    report({
      type: "warning",
      message: `only ${onlyPlatform} of ${source.request.image} is pushed: its other platforms are not here`,
    });
  }
  const layers = blobs.filter(({ kind }) => kind === "layer");
  for (const { digest } of blobs) void uploads.has(digest); // all asked at once
  for (const layer of layers)
    if (!(await uploads.has(layer.digest))) uploads.show(layer, "waiting");
  await Promise.all(blobs.map((blob) => uploads.send(blob)));

  const top = manifests[manifests.length - 1] ?? manifests[0];
  for (const manifest of manifests)
    if (manifest !== top) await registry.putManifest(repository, manifest.digest, manifest);
  const { digest } = await registry.putManifest(repository, tags[0], top);
  return { digest, layers: layers.length, bytes: layers.reduce((sum, { size }) => sum + size, 0) };
}
