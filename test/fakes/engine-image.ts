import { createHash } from "node:crypto";
import { pack } from "tar-stream";

/** An image as a test describes it. */
export interface FakeImageOptions {
  names: string[];
  /** Contents of the layers, lowest first; they need not be archives. */
  layers: (Buffer | string)[];
  cmd?: string[];
  /** Steps, the first one first, of which those without `empty_layer` made the layers. */
  history?: { created_by: string; empty_layer?: true }[];
  platform?: string;
  /** Platforms that the image's index lists, and that are not there. Only a containerd store knows of them. */
  missingPlatforms?: string[];
  /** Bytes that the engine claims it has, in place of those of its layers. */
  size?: number;
}

export interface FakeBlob {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

/** All that the fake engine tells and sends of an image. */
export interface FakeImage {
  names: string[];
  platform: string;
  config: FakeBlob;
  layers: FakeBlob[];
  manifest: FakeBlob;
  /** Only with `missingPlatforms`. */
  index: FakeBlob | undefined;
  missing: { digest: string; platform: string }[];
  /** As an engine answers: the newest first, with sizes, and without a word on which made a layer. */
  history: { CreatedBy: string; Size: number }[];
  size: number | undefined;
}

export function fakeImage(options: FakeImageOptions): FakeImage {
  const { names, platform = "linux/amd64", cmd = ["sleep"], missingPlatforms = [] } = options;
  const layers = options.layers.map((layer) =>
    blob("application/vnd.oci.image.layer.v1.tar", Buffer.from(layer)),
  );
  const config = json("application/vnd.oci.image.config.v1+json", {
    ...platformObject(platform),
    config: { Cmd: cmd },
    history: options.history,
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
  });
  const manifest = json(manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor(config),
    layers: layers.map(descriptor),
  });
  const missing = missingPlatforms.map((one) => ({
    digest: digestOf(Buffer.from(one)),
    platform: one,
  }));
  const index =
    missing.length === 0
      ? undefined
      : json("application/vnd.oci.image.index.v1+json", {
          schemaVersion: 2,
          mediaType: "application/vnd.oci.image.index.v1+json",
          manifests: [
            { ...descriptor(manifest), platform: platformObject(platform) },
            ...missing.map((one) => ({
              mediaType: manifestType,
              digest: one.digest,
              size: 500,
              platform: platformObject(one.platform),
            })),
          ],
        });
  const { size } = options;
  const history = engineHistory(options.history ?? [], layers);
  return { names: [...names], platform, config, layers, manifest, index, missing, history, size };
}

function engineHistory(
  steps: NonNullable<FakeImageOptions["history"]>,
  layers: readonly FakeBlob[],
): FakeImage["history"] {
  const made = layers.values();
  return steps
    .map(({ created_by: CreatedBy, empty_layer: empty }) => {
      return { CreatedBy, Size: empty ? 0 : (made.next().value?.bytes.length ?? 0) };
    })
    .toReversed();
}

/** As `docker save` writes it. */
export async function saveArchive({ names, config, layers }: FakeImage): Promise<Buffer> {
  const archive = pack();
  const configName = `${config.digest.slice(7)}.json`;
  archive.entry({ name: configName }, config.bytes);
  const layerNames = layers.map((layer, at) => {
    const name = `${at}/layer.tar`;
    archive.entry({ name }, layer.bytes);
    return name;
  });
  const list = [{ Config: configName, RepoTags: names, Layers: layerNames }];
  archive.entry({ name: "manifest.json" }, JSON.stringify(list));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export function platformObject(platform: string): object {
  const [os, architecture, variant] = platform.split("/");
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";

function json(mediaType: string, value: object): FakeBlob {
  return blob(mediaType, Buffer.from(JSON.stringify(value)));
}

function blob(mediaType: string, bytes: Buffer): FakeBlob {
  return { mediaType, bytes, digest: digestOf(bytes) };
}

function descriptor({ mediaType, digest, bytes }: FakeBlob): object {
  return { mediaType, digest, size: bytes.length };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
