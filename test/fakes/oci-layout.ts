import { gzipSync } from "node:zlib";
import { digestOf } from "../../src/image/digest.ts";
import { mediaTypes } from "../../src/image/manifest.ts";
import type { SmallImage, TarEntry } from "./image-archives.ts";

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
