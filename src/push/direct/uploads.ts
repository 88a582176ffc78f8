import type { Readable } from "node:stream";
import { KpushError } from "../../errors.ts";
import type { LayerState, Report } from "../../events.ts";
import type { ImageBlob } from "../../image/content.ts";
import type { StoredLayer } from "../../image/rewrite.ts";
import { RegistryProblem } from "../../registry/problem.ts";
import { Slots } from "../../registry/slots.ts";
import type { RegistryClient } from "../../registry/types.ts";
import { bulkBytes } from "../bulk-way.ts";
import { isCompressible } from "./compressible.ts";
import type { KnownCache } from "./known-cache.ts";
import type { KnownLayers } from "./known-layers.ts";
import { packedLayer } from "./packed-layer.ts";
import type { Packer } from "./packer.ts";
import { Present } from "./present.ts";

/** Blobs up to this many bytes (configs, attestations) do not wait for their turn. */
const smallBlob = 1024 * 1024;

/** Large blobs that are sent at once: enough to fill a link that loses packets, and memory stays flat. */
const atOnce = 3;

export interface UploadsOptions {
  registry: Pick<RegistryClient, "hasBlob" | "mountBlob" | "uploadBlob" | "uploadStream">;
  /**
   * For layers of {@link bulkBytes} and more that are packed: there cores are scarce. Layers that are sent as
   * they are keep to the registry's own way, which takes less memory.
   */
  uploader?: Pick<RegistryClient, "uploadStream"> | undefined;
  repository: string;
  /** The image as the user named it, for the events. */
  image: string;
  report: Report;
  known?: KnownLayers | Promise<KnownLayers> | undefined;
  cache?: KnownCache | undefined;
  /** Packs layers that come plain; they go up as they are without it. */
  packer?: Packer | undefined;
}

/** The blobs of one image on their way: asks for each but once, and sends a few at a time. */
export class Uploads implements Disposable {
  readonly #options: UploadsOptions;
  readonly #present: Present;
  readonly #announced = new Set<string>();
  readonly #reading = new Set<Readable>();
  readonly #sending = new Map<string, Promise<void>>();
  readonly #slots = new Slots(atOnce);
  #plain: ReadonlySet<string> = new Set();
  #stopped: Error | undefined;

  constructor(options: UploadsOptions) {
    this.#options = options;
    const { registry, repository, known = new Map<string, StoredLayer>(), cache } = options;
    this.#present = new Present({ registry, repository, known, cache });
  }

  /** Digests of layers that are not compressed, and may be. */
  takeAsPlain(digests: Iterable<string>): void {
    this.#plain = new Set(digests);
  }

  /** Whether the registry has the blob, in whatever form, as far as it was asked or has taken it. */
  async has(digest: string): Promise<boolean> {
    return (await this.stored(digest)) !== undefined;
  }

  /** Has the registry asked for blobs at once, whose answers are wanted soon; who wants one sees what failed. */
  ask(digests: readonly string[]): void {
    for (const digest of digests) this.has(digest).catch(() => undefined);
  }

  /** The form in which the registry holds a blob. */
  async stored(digest: string): Promise<StoredLayer | undefined> {
    return this.#present.find(digest);
  }

  /** Shows a layer; each digest counts once. */
  show(blob: Pick<ImageBlob, "digest" | "size" | "kind">, state: LayerState, sentBytes = 0): void {
    if (blob.kind !== "layer") return;
    if (state === "present" && this.#announced.has(blob.digest)) return;
    if (state !== "waiting") this.#announced.add(blob.digest);
    const { image, report } = this.#options;
    report({ type: "layer", image, id: blob.digest, state, sentBytes, totalBytes: blob.size });
  }

  /**
   * Sends a blob unless the registry has it. Resolves once the registry has taken it.
   *
   * @throws KpushError `ARCHIVE_INVALID` where the content is not what the digest says; else as the client
   */
  async send(blob: ImageBlob): Promise<void> {
    const { digest } = blob;
    const before = this.#sending.get(digest);
    const sending = before ?? this.#send(blob);
    this.#sending.set(digest, sending);
    await sending;
  }

  /** Ends what is still being sent. */
  [Symbol.dispose](): void {
    this.#stopped = new Error("the push of this image has ended");
    for (const body of this.#reading) body.destroy(this.#stopped);
  }

  async #send(blob: ImageBlob): Promise<void> {
    if (await this.has(blob.digest)) {
      this.show(blob, "present");
      return;
    }
    const large = blob.size > smallBlob;
    if (large) await this.#slots.take();
    try {
      if (this.#stopped) throw this.#stopped;
      this.show(blob, "sending");
      const { packer } = this.#options;
      const plain = packer && blob.kind === "layer" && this.#plain.has(blob.digest);
      const packed = plain && (packer.always || (await isCompressible(blob)));
      const stored = packed ? await this.#pack(blob, packer) : await this.#upload(blob);
      await this.#present.add(blob, stored);
      this.show({ ...blob, size: stored.size }, "sent", stored.size);
    } finally {
      if (large) this.#slots.give();
    }
  }

  async #upload(blob: ImageBlob): Promise<StoredLayer> {
    const { registry, repository } = this.#options;
    const { digest, size, entry } = blob;
    const open = (offset: number) => this.#track(() => entry.open(offset));
    try {
      await registry.uploadBlob(repository, { digest, size, open }, (sent) =>
        this.#progress(blob, sent),
      );
    } catch (error) {
      if (!RegistryProblem.of(error)?.codes.includes("DIGEST_INVALID")) throw error;
      throw new KpushError(
        "ARCHIVE_INVALID",
        `the image is damaged: the content of ${digest} is another`,
        {
          hint: "save or build the image again",
          cause: error,
        },
      );
    }
    return { digest, size, packing: "none" };
  }

  async #pack(blob: ImageBlob, packer: Packer): Promise<StoredLayer> {
    const { registry, uploader = registry, repository, image, report } = this.#options;
    const source = packedLayer(blob, packer, (read) => this.#progress(blob, read));
    const open = (offset: number) => this.#track(() => source.open(offset) as Readable);
    const client = blob.size < bulkBytes ? registry : uploader;
    const { digest, size } = await client.uploadStream(repository, {
      ...source,
      open,
    });
    const message = `${image}: ${blob.digest} packed by ${packer.name}: ${size} of ${blob.size} bytes`;
    report({ type: "debug", message });
    return { digest, size, packing: packer.packing };
  }

  /** All of a layer is claimed only when the registry has said so. */
  #progress(blob: ImageBlob, sent: number): void {
    this.show(blob, "sending", Math.min(sent, Math.max(0, blob.size - 1)));
  }

  #track(open: () => Readable): Readable {
    if (this.#stopped) throw this.#stopped;
    const body = open();
    this.#reading.add(body.once("close", () => this.#reading.delete(body)));
    return body;
  }
}
