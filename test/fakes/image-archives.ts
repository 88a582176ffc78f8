import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { digestOf } from "../../src/image/digest.ts";
import { mediaTypes } from "../../src/image/manifest.ts";

/** An entry of a tar file; `hard` links name their target from the root. */
export type TarEntry = { name: string } & (
  { content: Buffer | string } | { symlink: string } | { hard: string }
);

export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const entry of entries) {
    const { name } = entry;
    if ("symlink" in entry) tar.entry({ name, type: "symlink", linkname: entry.symlink });
    else if ("hard" in entry) tar.entry({ name, type: "link", linkname: entry.hard });
    else tar.entry({ name }, entry.content);
  }
  tar.finalize();
  return buffer(tar);
}

/** As an engine's answer comes: in pieces of 64 KiB. */
export function streamOf(bytes: Buffer): Readable {
  const size = 65_536;
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
  return Readable.from(pieces, { objectMode: false });
}

/** A little image: plain layers that no other has, and a config that lists them. */
export interface SmallImage {
  layers: Buffer[];
  diffIds: string[];
  config: Buffer;
  /** Digest of the config: the image's id in a graph store. */
  id: string;
}

export function imageOf(
  layers: Buffer[] = [layer(), layer()],
  more: Record<string, unknown> = { cmd: randomBytes(4).toString("hex") },
): SmallImage {
  const diffIds = layers.map((bytes) => digestOf(bytes));
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: diffIds },
      ...more,
    }),
  );
  return { layers, diffIds, config, id: digestOf(config) };
}

/** Bytes that look like a layer, just too large to be kept in memory. */
export function layer(size = 1024 * 1024 + 512): Buffer {
  return randomBytes(size);
}

/**
 * As Docker 20.10 saves it: v1 ids in their order, a layer that occurs twice as a link, which may come first.
 *
 * @param ids - `proven`: as Docker makes them, see `V1Layers`; `unknown`: nothing tells what they stand for
 */
export function graphArchive(
  { layers, config, id, diffIds }: SmallImage,
  name = "app:v1",
  ids: "unknown" | "proven" = "unknown",
): TarEntry[] {
  const configs = v1Configs(diffIds);
  const v1 = configs.map(({ named }, at) =>
    createHash("sha256")
      .update(ids === "proven" ? named : `${diffIds[at] ?? ""} ${at}`)
      .digest("hex"),
  );
  const entries = layers.flatMap((content, at): TarEntry[] => {
    const first = diffIds.indexOf(diffIds[at] ?? "");
    const directory = v1[at] ?? "";
    return [
      { name: `${directory}/VERSION`, content: "1.0" },
      { name: `${directory}/json`, content: configs[at]?.written ?? "" },
      first === at
        ? { name: `${directory}/layer.tar`, content }
        : { name: `${directory}/layer.tar`, symlink: `../${v1[first] ?? ""}/layer.tar` },
    ];
  });
  const configName = `${id.slice(7)}.json`;
  entries.push({ name: configName, content: config });
  entries.sort((one, two) => (one.name < two.name ? -1 : 1));
  const paths = v1.map((directory) => `${directory}/layer.tar`);
  return [
    ...entries,
    manifestJson(configName, paths, name),
    { name: "repositories", content: "{}" },
  ];
}

/** Of each layer: the configuration whose digest is its name, and as it lies in the archive. */
function v1Configs(diffIds: readonly string[]): { named: string; written: string }[] {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  let [chain, parent] = ["", ""];
  return diffIds.map((diffId, at) => {
    chain = at === 0 ? diffId : `sha256:${sha256(`${chain} ${diffId}`)}`;
    const last = at === diffIds.length - 1;
    const [below, created] = [parent && `,"parent":"sha256:${parent}"`, '"created":"1970"'];
    const named = last
      ? `{"architecture":"amd64",${created},"layer_id":"${chain}","os":"linux"${below}}`
      : `{${created},"layer_id":"${chain}"${below}}`;
    const [id, before] = [sha256(named), parent && `"parent":"${parent}",`];
    parent = id;
    const more = last ? ',"architecture":"amd64"' : "";
    return { named, written: `{"id":"${id}",${before}${created}${more},"os":"linux"}` };
  });
}

/** As Podman saves it: layers are called by their diff_ids, and linked from v1 directories. */
export function podmanArchive(
  { layers, config, id, diffIds }: SmallImage,
  name = "localhost/app:v1",
): TarEntry[] {
  const paths = diffIds.map((diffId) => `${diffId.slice(7)}.tar`);
  return [
    ...layers.map((content, at) => ({ name: paths[at] ?? "", content })),
    { name: `${id.slice(7)}.json`, content: config },
    ...paths.map((path, at) => ({ name: `v1-${at}/layer.tar`, symlink: `../${path}` })),
    manifestJson(`${id.slice(7)}.json`, paths, name),
  ];
}

/** Several archives in one, as `docker save one:v1 two:v1` makes it. */
export function together(...archives: readonly (readonly TarEntry[])[]): TarEntry[] {
  const isList = ({ name }: TarEntry) => name === "manifest.json";
  const lists = archives.flatMap((entries) => entries.filter(isList));
  const images = lists.flatMap((entry) =>
    "content" in entry ? (JSON.parse(entry.content.toString()) as unknown[]) : [],
  );
  return [
    ...archives.flatMap((entries) => entries.filter((entry) => !isList(entry))),
    { name: "manifest.json", content: JSON.stringify(images) },
  ];
}

/** An OCI layout under construction. */
export class Layout {
  readonly #blobs = new Map<string, Buffer>();

  blob(bytes: Buffer, mediaType: string): OciDescriptor {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  json(document: object, mediaType: string): OciDescriptor {
    return this.blob(Buffer.from(JSON.stringify(document)), mediaType);
  }

  /** A manifest of gzip-compressed layers, as BuildKit makes it. */
  image({ layers, config }: SmallImage): OciDescriptor {
    return this.json(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: this.blob(config, mediaTypes.ociConfig),
        layers: layers.map((bytes) =>
          this.blob(gzipSync(bytes, { level: 1 }), "application/vnd.oci.image.layer.v1.tar+gzip"),
        ),
      },
      mediaTypes.ociManifest,
    );
  }

  /** What BuildKit notes down about an image: a manifest of its own in the index. */
  attestation(subject: OciDescriptor): OciDescriptor {
    const statement = this.json({ predicate: subject.digest }, "application/vnd.in-toto+json");
    const config = this.json({ os: "unknown" }, mediaTypes.ociConfig);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config,
      layers: [statement],
    };
    return {
      ...this.json(manifest, mediaTypes.ociManifest),
      platform: { os: "unknown", architecture: "unknown" },
      annotations: { "vnd.docker.reference.type": "attestation-manifest" },
    };
  }

  index(manifests: OciDescriptor[]): OciDescriptor {
    return this.json(
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
      mediaTypes.ociIndex,
    );
  }

  drop(digest: string): void {
    this.#blobs.delete(digest);
  }

  /** Blobs in the order of their digests, the rest last, as containerd writes it. */
  entries(roots: OciDescriptor[]): TarEntry[] {
    const blobs = [...this.#blobs].map(([digest, content]) => ({
      name: `blobs/sha256/${digest.slice(7)}`,
      content,
    }));
    blobs.sort((one, two) => (one.name < two.name ? -1 : 1));
    const index = JSON.stringify({ schemaVersion: 2, manifests: roots });
    return [
      ...blobs,
      { name: "index.json", content: index },
      { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    ];
  }
}

export interface OciDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string; variant?: string };
  annotations?: Record<string, string>;
}

/** The descriptor with a full name, as Docker and containerd note it down in index.json. */
export function named(descriptor: OciDescriptor, name = "docker.io/library/app:v1"): OciDescriptor {
  return { ...descriptor, annotations: { "io.containerd.image.name": name } };
}

/** An index of two platforms and the attestation of the first, of which `parts` tells all. */
export function multiPlatform(layout: Layout, images: Record<"amd64" | "arm64", SmallImage>) {
  const amd64 = layout.image(images.amd64);
  const arm64 = layout.image(images.arm64);
  const attestation = layout.attestation(amd64);
  const index = layout.index([
    { ...amd64, platform: { os: "linux", architecture: "amd64" } },
    { ...arm64, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    attestation,
  ]);
  return { index, amd64, arm64, attestation };
}

function manifestJson(config: string, layers: string[], name: string): TarEntry {
  return {
    name: "manifest.json",
    content: JSON.stringify([{ Config: config, RepoTags: [name], Layers: layers }]),
  };
}
