import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { digestOf } from "../../image/digest.ts";
import { mediaTypes } from "../../image/manifest.ts";
import type { Manifest } from "../../registry/types.ts";
import { tinyProgram } from "./tiny-program.ts";

/** An image made for one proof, ready to be pushed. */
export interface ProofImage {
  tag: string;
  /** Digest of the index. */
  digest: string;
  index: Manifest;
  /** One for each platform. */
  manifests: Manifest[];
  /** Configs and the layers. */
  blobs: { digest: string; bytes: Buffer }[];
}

/** Where proofs go in a registry. */
export const proofRepository = "kpush/proof";

/** Platforms of the proof where the nodes are not known, as the registry's own image has them. */
export const usualArchitectures = ["amd64", "arm64", "arm", "ppc64le", "s390x", "riscv64"];

/**
 * Makes an image of an index with one manifest for each architecture, as runtimes refuse one of
 * another platform, and of one small layer each. All of it is new: no node and no registry can have it.
 *
 * @param architectures - as Go, and a node's `nodeInfo`, call them
 * @param tag - random; it is in every layer and config, too
 */
export async function proofImage(
  architectures: readonly string[],
  tag: string,
): Promise<ProofImage> {
  const blobs: ProofImage["blobs"] = [];
  const blob = (mediaType: string, bytes: Buffer) => {
    const digest = digestOf(bytes);
    blobs.push({ digest, bytes });
    return { mediaType, digest, size: bytes.length };
  };
  const manifests: Manifest[] = [];
  const entries: object[] = [];
  for (const architecture of architectures) {
    const platform = platformOf(architecture);
    const tar = await layerOf(architecture, tag);
    const layer = blob("application/vnd.oci.image.layer.v1.tar+gzip", gzipSync(tar));
    const config = blob(mediaTypes.ociConfig, configOf(platform, tar, tag));
    const manifest = manifestOf(mediaTypes.ociManifest, { config, layers: [layer] });
    manifests.push(manifest);
    const { mediaType, digest, bytes } = manifest;
    entries.push({ mediaType, digest, size: bytes.length, platform });
  }
  const index = manifestOf(mediaTypes.ociIndex, { manifests: entries });
  return { tag, digest: index.digest, index, manifests, blobs };
}

interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

/** Every arm node takes v6, and a v6 one no higher. */
function platformOf(architecture: string): Platform {
  return { os: "linux", architecture, ...(architecture === "arm" && { variant: "v6" }) };
}

function configOf(platform: Platform, tar: Buffer, tag: string): Buffer {
  return json({
    ...platform,
    config: { Entrypoint: ["/proof"], Labels: { "kpush.dev/proof": tag } },
    rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
  });
}

function manifestOf(mediaType: string, content: object): Manifest {
  const bytes = json({ schemaVersion: 2, mediaType, ...content });
  return { digest: digestOf(bytes), mediaType, bytes };
}

async function layerOf(architecture: string, tag: string): Promise<Buffer> {
  const tar = pack();
  const mtime = new Date(0);
  tar.entry({ name: "proof", mode: 0o755, mtime }, tinyProgram(architecture));
  tar.entry({ name: "tag", mode: 0o644, mtime }, tag);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
