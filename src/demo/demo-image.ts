import { createCipheriv, createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import { digestOf } from "../image/digest.ts";

export interface DemoImageOptions {
  /** Where the archive is written; the file must not be there yet. */
  path: string;
  /** `NAME:TAG` that the archive gives the image. */
  name: string;
  layers?: number;
  /** Bytes of content in each layer. */
  layerBytes?: number;
  /** The same word makes the same image; a new one each time unless given. */
  seed?: string;
}

export interface DemoImage {
  /** Digest of the config, which is the image's Id for graph stores. */
  id: string;
  /** Digests of the plain layers, lowest first. */
  diffIds: string[];
  /** Bytes of the layers and the config. */
  size: number;
}

/**
 * Writes an archive as `docker save` of an older engine does: a config, plain layers, manifest.json.
 * The content does not compress and, without a seed, is in no registry yet.
 */
export async function writeDemoImage(options: DemoImageOptions): Promise<DemoImage> {
  const { path, name, layers: count = 3, layerBytes = 1 << 20, seed = randomUUID() } = options;
  const layers: Buffer[] = [];
  for (let number = 1; number <= count; number++) {
    layers.push(await tarOf([[`demo/layer-${number}`, noise(`${seed}/${number}`, layerBytes)]]));
  }
  const diffIds = layers.map((layer) => digestOf(layer));
  const config = json({
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/demo/layer-1"], Labels: { "kpush.demo": seed } },
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const id = digestOf(config);
  const configFile = `${id.slice("sha256:".length)}.json`;
  const layerFiles = diffIds.map((digest) => `${digest.slice("sha256:".length)}/layer.tar`);
  const archive = await tarOf([
    ...layers.map((layer, index): File => [layerFiles[index] ?? "", layer]),
    [configFile, config],
    ["manifest.json", json([{ Config: configFile, RepoTags: [name], Layers: layerFiles }])],
  ]);
  await pipeline([archive], createWriteStream(path, { flags: "wx", mode: 0o600 }));
  return { id, diffIds, size: layers.reduce((sum, layer) => sum + layer.length, config.length) };
}

type File = [name: string, content: Buffer];

async function tarOf(files: File[]): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of files) {
    tar.entry({ name, mtime: new Date(0), mode: 0o644 }, content);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes that look random and depend on the seed alone: an AES key stream. */
function noise(seed: string, bytes: number): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
