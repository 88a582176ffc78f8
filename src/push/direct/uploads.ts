import type { Readable } from "node:stream";
import { KpushError } from "../../errors.ts";
import type { LayerState, Report } from "../../events.ts";
import type { ImageBlob } from "../../image/content.ts";
import { RegistryProblem } from "../../registry/problem.ts";
import type { RegistryClient } from "../../registry/types.ts";

/** Blobs up to this many bytes (configs, attestations) do not wait for their turn. */
const smallBlob = 1024 * 1024;

export interface UploadsOptions {
  registry: Pick<RegistryClient, "hasBlob" | "uploadBlob">;
  repository: string;
  /** The image as the user named it, for the events. */
  image: string;
  report: Report;
}

/** The blobs of one image on their way: asks for each but once, and sends one at a time. */
export class Uploads implements Disposable {
  readonly #options: UploadsOptions;
  readonly #known = new Map<string, Promise<boolean>>();
  readonly #announced = new Set<string>();
  readonly #reading = new Set<Readable>();
  #turn: Promise<unknown> = Promise.resolve();
  #stopped: Error | undefined;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** Whether the registry has the blob, as far as it was asked or has taken it. */
  has(digest: string): Promise<boolean> {
    const { registry, repository } = this.#options;
    const known = this.#known.get(digest);
    if (known) return known;
    const asked = registry.hasBlob(repository, digest);
    asked.catch(() => undefined); // whoever awaits it sees it
    this.#known.set(digest, asked);
    return asked;
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
    if (await this.has(blob.digest)) {
      this.show(blob, "present");
      return;
    }
    if (blob.size <= smallBlob) {
      await this.#upload(blob);
      return;
    }
    const sending = this.#turn.then(() => this.#upload(blob));
    this.#turn = sending.catch(() => undefined);
    await sending;
  }

  /** Ends what is still being sent. */
  [Symbol.dispose](): void {
    this.#stopped = new Error("the push of this image has ended");
    for (const body of this.#reading) body.destroy(this.#stopped);
  }

  async #upload(blob: ImageBlob): Promise<void> {
    const { registry, repository } = this.#options;
    const { digest, size } = blob;
    if (this.#stopped) throw this.#stopped;
    this.show(blob, "sending");
    const open = (offset: number): Readable => {
      if (this.#stopped) throw this.#stopped;
      const body = blob.entry.open(offset);
      this.#reading.add(body.once("close", () => this.#reading.delete(body)));
      return body;
    };
    try {
      // All of it is claimed only when the registry has said so.
      const onBytes = (sent: number) =>
        this.show(blob, "sending", Math.min(sent, Math.max(0, size - 1)));
      await registry.uploadBlob(repository, { digest, size, open }, onBytes);
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
    this.#known.set(digest, Promise.resolve(true));
    this.show(blob, "sent", size);
  }
}
