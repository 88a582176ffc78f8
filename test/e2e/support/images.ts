import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished, pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack, type Pack } from "tar-stream";
import { noise, program, sleepProgram } from "./image-content.ts";

export interface ImageOptions {
  /** `NAME:TAG` that the archive gives the image. */
  name: string;
  /** Bytes of content in each layer, which does not compress. */
  layers: number[];
  /** The same seed makes the same layers. */
  seed: string;
  /** The last layer alone depends on this too: a rebuild. */
  last?: string;
  cmd?: string[];
  /** Steps, the first one first, of which those without `empty_layer` made the layers. */
  history?: { created_by: string; empty_layer?: true }[];
  /** `docker`: plain layers, as an older engine saves them. `oci`: an index of a gzip manifest and an attestation, as BuildKit makes it. */
  format?: "docker" | "oci";
  /** `noise` does not compress; `program` is machine code with a mark of the seed every 64 KiB, and shrinks to a third. */
  content?: "noise" | "program";
  /** What its config says that it is for; amd64 unless given, as which alone it runs. */
  architecture?: string;
  /** Only with `oci`: the index names this platform too, whose manifest is not there. */
  absentPlatform?: string;
}

interface Blob {
  digest: string;
  size: number;
  path: string;
}

/** Writes an image archive that `docker load` takes; the image runs on amd64 and does nothing. */
export async function writeImage(file: string, options: ImageOptions): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "kpush-e2e-image-"));
  try {
    const layers: Blob[] = [];
    for (const [index, bytes] of options.layers.entries()) {
      const last = index === options.layers.length - 1 ? (options.last ?? "") : "";
      layers.push(
        await writeLayer(
          join(directory, `layer${index}`),
          index,
          bytes,
          `${options.seed} ${index} ${last}`,
          options.content,
        ),
      );
    }
    const config = Buffer.from(
      JSON.stringify({
        architecture: options.architecture ?? "amd64",
        os: "linux",
        config: { Cmd: options.cmd ?? ["/sleep"], Env: ["PATH=/"] },
        // Podman's history fails on a step without a date.
        history: options.history?.map((step) => ({ created: "2024-01-01T00:00:00Z", ...step })),
        rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) },
      }),
    );
    const entries =
      options.format === "oci"
        ? await ociEntries(directory, options, config, layers)
        : dockerEntries(options, config, layers);
    const tar = pack();
    const written = pipeline(tar, createWriteStream(file));
    for (const [name, content] of entries) await addEntry(tar, name, content);
    tar.finalize();
    await written;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type Entry = [name: string, content: Buffer | Blob];

function dockerEntries({ name }: ImageOptions, config: Buffer, layers: Blob[]): Entry[] {
  const configName = `${sha256(config).slice(7)}.json`;
  const manifest = [
    { Config: configName, RepoTags: [name], Layers: layers.map((_, index) => `layer${index}.tar`) },
  ];
  return [
    [configName, config],
    ["manifest.json", Buffer.from(JSON.stringify(manifest))],
    ...layers.map((layer, index): Entry => [`layer${index}.tar`, layer]),
  ];
}

async function ociEntries(
  directory: string,
  options: ImageOptions,
  config: Buffer,
  layers: Blob[],
): Promise<Entry[]> {
  const oci = "application/vnd.oci.image";
  const entries = new Map<string, Buffer | Blob>();
  const blob = (mediaType: string, content: Buffer | Blob) => {
    const digest = Buffer.isBuffer(content) ? sha256(content) : content.digest;
    entries.set(`blobs/sha256/${digest.slice(7)}`, content);
    return { mediaType, digest, size: Buffer.isBuffer(content) ? content.length : content.size };
  };
  const manifest = (configuration: Buffer, descriptors: object[]) =>
    blob(
      `${oci}.manifest.v1+json`,
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: `${oci}.manifest.v1+json`,
          config: blob(`${oci}.config.v1+json`, configuration),
          layers: descriptors,
        }),
      ),
    );
  const zipped: object[] = [];
  for (const [index, layer] of layers.entries()) {
    const path = join(directory, `layer${index}.gz`);
    await pipeline(createReadStream(layer.path), createGzip({ level: 1 }), createWriteStream(path));
    zipped.push(blob(`${oci}.layer.v1.tar+gzip`, await blobOf(path)));
  }
  const image = manifest(config, zipped);
  const statement = blob(
    "application/vnd.in-toto+json",
    Buffer.from(
      JSON.stringify({
        _type: "https://in-toto.io/Statement/v0.1",
        predicateType: "https://slsa.dev/provenance/v0.2",
        subject: [{ name: "image", digest: { sha256: image.digest.slice(7) } }],
        predicate: {},
      }),
    ),
  );
  const attestation = manifest(
    Buffer.from(
      '{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":[]}}',
    ),
    [statement],
  );
  const [os = "linux", architecture = "arm64"] = (options.absentPlatform ?? "").split("/");
  const absent =
    options.absentPlatform === undefined
      ? []
      : [
          {
            mediaType: `${oci}.manifest.v1+json`,
            digest: sha256(Buffer.from(`absent ${options.seed}`)),
            size: 500,
            platform: { os, architecture },
          },
        ];
  const index = blob(
    `${oci}.index.v1+json`,
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: `${oci}.index.v1+json`,
        manifests: [
          { ...image, platform: { architecture: "amd64", os: "linux" } },
          ...absent,
          {
            ...attestation,
            platform: { architecture: "unknown", os: "unknown" },
            annotations: {
              "vnd.docker.reference.type": "attestation-manifest",
              "vnd.docker.reference.digest": image.digest,
            },
          },
        ],
      }),
    ),
  );
  const [repository = "", tag = "latest"] = options.name.split(":");
  const full = repository.includes("/")
    ? `docker.io/${options.name}`
    : `docker.io/library/${options.name}`;
  entries.set(
    "index.json",
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          {
            ...index,
            annotations: {
              "io.containerd.image.name": full,
              "org.opencontainers.image.ref.name": tag,
            },
          },
        ],
      }),
    ),
  );
  entries.set("oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  return [...entries];
}

async function writeLayer(
  path: string,
  index: number,
  bytes: number,
  seed: string,
  content: ImageOptions["content"] = "noise",
): Promise<Blob> {
  const tar = pack();
  const written = pipeline(tar, createWriteStream(path));
  if (index === 0) await addEntry(tar, "sleep", sleepProgram(), 0o755);
  const entry = tar.entry({ name: `data/${index}`, size: bytes, mtime: new Date(0) });
  const chunks = content === "noise" ? noise(seed, bytes) : program(seed, bytes);
  for await (const chunk of chunks) {
    if (!entry.write(chunk)) await once(entry, "drain");
  }
  entry.end(Buffer.alloc(0));
  await finished(entry);
  tar.finalize();
  await written;
  return blobOf(path);
}

async function addEntry(
  tar: Pack,
  name: string,
  content: Buffer | Blob,
  mode = 0o644,
): Promise<void> {
  const size = Buffer.isBuffer(content) ? content.length : content.size;
  const entry = tar.entry({ name, size, mode, mtime: new Date(0) });
  if (Buffer.isBuffer(content)) entry.end(content);
  else await pipeline(createReadStream(content.path), entry);
  if (Buffer.isBuffer(content)) await finished(entry);
}

async function blobOf(path: string): Promise<Blob> {
  const hash = createHash("sha256");
  await using file = await open(path);
  for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1 << 20 }))
    hash.update(chunk as Buffer);
  return { digest: `sha256:${hash.digest("hex")}`, size: (await stat(path)).size, path };
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
