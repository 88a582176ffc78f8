import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { KpushEvent } from "../../src/events.ts";
import { openArchive, openArchiveStream } from "../../src/push/archive/source.ts";
import {
  directRoute,
  type DirectResult,
  type DirectRoute,
  type DirectSource,
} from "../../src/push/direct/route.ts";
import { clientOf } from "./registry-client.ts";
import { startFaultyRegistry, type FaultyRegistry } from "./registry.ts";
import { streamOf, tarOf, type SmallImage, type TarEntry } from "./image-archives.ts";

/** A registry, a directory for temporary files, and pushes between them. */
export interface DirectWorld extends AsyncDisposable {
  faulty: FaultyRegistry;
  directory: string;
  events: KpushEvent[];
  /** The direct route of an image, under `app:v1`. */
  push(source: DirectSource, options?: PushOptions): Promise<DirectResult>;
  /** Writes an archive and pushes it. */
  pushFile(bytes: Buffer, options?: PushOptions & { name?: string }): Promise<DirectResult>;
  /** Pushes an archive that comes on standard input. */
  pushStream(bytes: Buffer, options?: PushOptions): Promise<DirectResult>;
  /** Blobs and manifests that were put since the last call, as `blob` or the manifest's reference. */
  takePuts(): string[];
  /** The manifest under `app:v1`. */
  served(): Promise<ServedManifest>;
  /** What lies in the directory for temporary files. */
  leftovers(): Promise<string[]>;
}

export interface ServedManifest {
  digest: string;
  mediaType: string;
  document: {
    config?: { digest: string };
    layers?: { digest: string; mediaType: string }[];
    manifests?: { digest: string }[];
  };
}

interface PushOptions extends Pick<DirectRoute, "known" | "cache" | "compression"> {
  platform?: string | undefined;
  signal?: AbortSignal;
  directory?: string;
  /** `app` unless given. */
  repository?: string;
}

export async function openDirectWorld(): Promise<DirectWorld> {
  const faulty = await startFaultyRegistry();
  const root = await mkdtemp(join(tmpdir(), "direct-test-"));
  const directory = await mkdtemp(join(root, "temporary-"));
  const events: KpushEvent[] = [];
  const world: DirectWorld = {
    faulty,
    directory,
    events,
    async push(source, options = {}) {
      const { platform, signal = new AbortController().signal, repository = "app" } = options;
      await using registry = clientOf(faulty, signal);
      return await directRoute({
        source,
        target: { repository, tags: ["v1"], pullAddress: "localhost:5000" },
        registry,
        platform,
        report: (event) => events.push(event),
        signal,
        directory,
        ...options,
      });
    },
    async pushFile(bytes, { name = "app.tar", ...options } = {}) {
      const path = join(root, name);
      await writeFile(path, bytes);
      const signal = options.signal ?? new AbortController().signal;
      await using archive = await openArchive(name, { signal, cwd: root, directory });
      return await world.push(
        { kind: "archive", request: { image: name }, archive: archive.images[0] },
        options,
      );
    },
    async pushStream(bytes, options) {
      const { signal } = new AbortController();
      await using archive = await openArchiveStream(streamOf(bytes), { signal, directory });
      const request = { image: "-" };
      return await world.push({ kind: "archive", request, archive: archive.images[0] }, options);
    },
    takePuts: () =>
      faulty
        .takeRequests()
        .filter((line) => line.startsWith("PUT "))
        .map((line) => (line.includes("/blobs/") ? "blob" : (line.split("/").at(-1) ?? ""))),
    async served() {
      await using registry = clientOf(faulty);
      const manifest = await registry.getManifest("app", "v1");
      if (!manifest) throw new Error("app:v1 is not there");
      const { digest, mediaType, bytes } = manifest;
      return {
        digest,
        mediaType,
        document: JSON.parse(bytes.toString()) as ServedManifest["document"],
      };
    },
    leftovers: () => readdir(directory),
    async [Symbol.asyncDispose]() {
      await faulty[Symbol.asyncDispose]();
      await rm(root, { recursive: true });
    },
  };
  return world;
}

/** An engine that exports an archive. A containerd store's id is not what its layers tell. */
export async function engineOf(
  store: "graph" | "containerd" | "podman",
  image: Pick<SmallImage, "id" | "diffIds">,
  entries: readonly TarEntry[],
  stream: (bytes: Buffer) => Readable = streamOf,
): Promise<DirectSource & { kind: "engine"; exports: string[] }> {
  const bytes = await tarOf(entries);
  const exports: string[] = [];
  return {
    kind: "engine",
    request: { image: "app:v1" },
    local: image,
    exports,
    engine: {
      store,
      export: (name, platform) => {
        exports.push(platform === undefined ? name : `${name} ${platform}`);
        return Promise.resolve(stream(bytes));
      },
    },
  };
}
