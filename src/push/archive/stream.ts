import type { Readable } from "node:stream";
import { asError, KpushError, messageOf } from "../../errors.ts";
import { ArchiveIndex, type ArchiveEntry } from "../../image/archive-index.ts";
import type { ImageBlob } from "../../image/content.ts";
import { documentLimit } from "../../image/manifest.ts";
import { plain } from "../../image/text.ts";
import { blobDigest, memoryEntry } from "./file.ts";
import { Spool } from "./spool.ts";
import { readTar, type TarFile } from "./tar.ts";
import { V1Layers } from "./v1-layers.ts";

/** Takes the layers of a stream as they come, before it is known what the image consists of. */
export interface LayerSink {
  has(digest: string): Promise<boolean>;
  show(blob: Pick<ImageBlob, "digest" | "size" | "kind">, state: "present"): void;
  send(blob: ImageBlob): Promise<void>;
}

export interface ArchiveStreamOptions {
  /** How to call the archive in an error. */
  what: string;
  /** diff_ids of the image, where its store names plain layers by them; empty where that is not known. */
  expected: readonly string[];
  sink: LayerSink;
  signal: AbortSignal;
  /** Where temporary files go; see `openTemporaryFile`. */
  directory?: string | undefined;
}

/** Entries up to this size are kept in memory, up to {@link heldBytes} in all; others in temporary files. */
const smallEntry = 1024 * 1024;
const heldBytes = 4 * 1024 * 1024;

/**
 * An image archive that comes as a stream and cannot be read twice. Layers go to the sink while the stream is
 * read. What the registry has already is skipped; what must wait is kept, in temporary files where it is not small.
 */
export class ArchiveStream implements AsyncDisposable {
  readonly index: ArchiveIndex;
  readonly #options: ArchiveStreamOptions;
  readonly #spools = new Set<Spool>();
  #held = 0;
  readonly #started = new Set<string>();
  readonly #v1Layers: V1Layers;
  /** The last two layers that were begun, the later one last. */
  #sending: Promise<void>[] = [];
  #failure: { error: unknown } | undefined;

  constructor(options: ArchiveStreamOptions) {
    this.#options = options;
    this.index = new ArchiveIndex(options.what);
    this.#v1Layers = new V1Layers(options.expected);
  }

  /**
   * Reads the stream to its end; `index` is complete then, and the layers that could be sent are sent.
   *
   * @throws KpushError `ENGINE_FAILED` where the stream broke, `ARCHIVE_INVALID`, `LOCAL_DISK`, or as the sink
   */
  async read(source: Readable): Promise<void> {
    const { signal, what } = this.#options;
    const stop = () => source.destroy(asError(signal.reason));
    const failed = (error: unknown) => {
      if (signal.aborted) return asError(signal.reason);
      if (error instanceof KpushError && error.code === "LOCAL_DISK") return error;
      return new KpushError(
        "ENGINE_FAILED",
        `${plain(what, 300)} stopped: ${plain(messageOf(error), 300)}`,
        { hint: "see the log of the container engine", cause: error },
      );
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const file of readTar(source, this.index, failed)) {
        this.index.add(file.name, await this.#take(file));
      }
      await Promise.all(this.#sending);
    } catch (error) {
      throw signal.aborted ? (signal.reason as unknown) : error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const spool of this.#spools) await spool[Symbol.asyncDispose]();
  }

  async #take(file: TarFile): Promise<ArchiveEntry> {
    const known = this.#digestOf(file.name);
    if (file.size <= smallEntry && this.#held + file.size <= heldBytes) {
      this.#held += file.size;
      const bytes = await readAll(file.content);
      this.#v1Layers.read(file.name, bytes);
      return memoryEntry(bytes, known);
    }
    if (!isLayer(file)) return (await this.#keep(file, known)).entry;
    return known === undefined ? this.#takeUnnamed(file) : this.#takeNamed(file, known);
  }

  /** A layer whose digest is known beforehand is sent while it is still coming. */
  async #takeNamed(file: TarFile, digest: string): Promise<ArchiveEntry> {
    if (await this.#options.sink.has(digest)) return this.#leaveOut(file, digest);
    await this.#room();
    if (this.#started.has(digest)) return this.#leaveOut(file, digest); // it comes twice
    return (await this.#keep(file, digest, (spool) => this.#send(spool, digest))).entry;
  }

  /** A layer of which only its content tells the digest. */
  async #takeUnnamed(file: TarFile): Promise<ArchiveEntry> {
    if (await this.#isComplete()) return this.#leaveOut(file, undefined);
    await this.#room();
    const spool = await this.#keep(file, undefined);
    const digest = await spool.finish();
    const start = await spool.entry.head(4); // may be asked for when the file is gone
    if (await this.#options.sink.has(digest)) {
      this.#options.sink.show({ kind: "layer", digest, size: file.size }, "present");
      await this.#drop(spool);
    } else {
      this.#send(spool, digest);
    }
    return { ...spool.entry, digest, head: () => Promise.resolve(start) };
  }

  /** Whether every layer that the image is known to have is in the registry, or on its way. */
  async #isComplete(): Promise<boolean> {
    const { expected, sink } = this.#options;
    for (const digest of expected) {
      if (!this.#started.has(digest) && !(await sink.has(digest))) return false;
    }
    return expected.length > 0;
  }

  #leaveOut({ size, skip }: TarFile, digest: string | undefined): ArchiveEntry {
    skip();
    if (digest !== undefined) this.#options.sink.show({ kind: "layer", digest, size }, "present");
    const open = () => {
      throw this.index.damaged("it lacks a layer that the engine said it has");
    };
    return { size, digest, head: () => Promise.resolve(Buffer.alloc(0)), open };
  }

  async #keep(
    file: TarFile,
    digest: string | undefined,
    opened?: (spool: Spool) => void,
  ): Promise<Spool> {
    const spool = await Spool.open(file.size, digest, this.#options.directory);
    this.#spools.add(spool);
    opened?.(spool);
    try {
      for await (const chunk of file.content) {
        if (this.#failure) throw this.#failure.error;
        await spool.write(chunk);
      }
      await spool.finish();
    } catch (error) {
      spool.fail(asError(error));
      throw error;
    }
    return spool;
  }

  #send(spool: Spool, digest: string): void {
    this.#started.add(digest);
    const { entry } = spool;
    const sending = this.#options.sink.send({ digest, size: entry.size, kind: "layer", entry });
    const done = sending.then(() => this.#drop(spool));
    done.catch((error: unknown) => (this.#failure ??= { error }));
    this.#sending = [...this.#sending.slice(-1), done];
  }

  /** Waits until one layer at most is on its way: with the one that comes next, two lie on the disk. */
  async #room(): Promise<void> {
    if (this.#sending.length > 1) await this.#sending[0];
  }

  async #drop(spool: Spool): Promise<void> {
    this.#spools.delete(spool);
    await spool[Symbol.asyncDispose]();
  }

  /** Podman calls a layer by its diff_id, an OCI layout calls a blob by its digest; Docker before 25 see {@link V1Layers}. */
  #digestOf(name: string): string | undefined {
    const hex = /^([0-9a-f]{64})\.tar$/.exec(name)?.[1];
    const diffId = `sha256:${hex ?? ""}`;
    if (this.#options.expected.includes(diffId)) return diffId;
    return this.#v1Layers.diffIdOf(name) ?? blobDigest(name);
  }
}

/** In an OCI layout nothing tells a layer from a manifest but the size; what is small can wait for the end. */
function isLayer({ name, size }: TarFile): boolean {
  return name.endsWith(".tar") || (blobDigest(name) !== undefined && size > documentLimit);
}

async function readAll(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}
