import { Readable } from "node:stream";
import { asError } from "../../errors.ts";
import type { OpenFile } from "./file.ts";
import { diskError, openTemporaryFile } from "./temp.ts";

/** Bytes of one read. */
const readSize = 256 * 1024;

/** A stream of unknown length, kept in a temporary file: many can read it, from its beginning, while it comes. */
export class GrowingFile implements AsyncDisposable {
  readonly #file: OpenFile;
  readonly #source: Readable;
  /** Resolves when all is there; rejects as the source failed. */
  readonly filled: Promise<void>;
  #written = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void)[] = [];

  private constructor(file: OpenFile, source: Readable) {
    this.#file = file;
    this.#source = source;
    this.filled = this.#fill();
    this.filled.catch(() => undefined); // whoever reads it sees it
  }

  /**
   * @param directory - see `openTemporaryFile`
   * @throws KpushError `LOCAL_DISK`
   */
  static async open(source: Readable, directory: string | undefined): Promise<GrowingFile> {
    source.on("error", () => undefined); // it may break before it is read, which tells of it too
    try {
      return new GrowingFile(await openTemporaryFile(directory), source);
    } catch (error) {
      source.destroy();
      throw error;
    }
  }

  /** The stream from its beginning. It fails as the source did, or by a KpushError `LOCAL_DISK`. */
  open(): Readable {
    return Readable.from(this.#read(), { objectMode: false, highWaterMark: readSize });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#source.destroy(new Error("nobody reads it any longer"));
    await this.filled.catch(() => undefined);
    await this.#file[Symbol.asyncDispose]();
  }

  async #fill(): Promise<void> {
    try {
      for await (const chunk of this.#source as AsyncIterable<Buffer>) {
        // Goes on at the file's position, and writes all of a chunk.
        await this.#file.handle.writeFile(chunk).catch((error: unknown) => {
          throw diskError(error);
        });
        this.#written += chunk.length;
        this.#notify();
      }
      this.#ended = true;
    } catch (error) {
      this.#failure = asError(error);
      throw this.#failure;
    } finally {
      this.#notify();
    }
  }

  async *#read(): AsyncGenerator<Buffer> {
    for (let offset = 0; await this.#reaches(offset);) {
      const size = Math.min(readSize, this.#written - offset);
      const { bytesRead, buffer } = await this.#file.handle
        .read(Buffer.allocUnsafe(size), 0, size, offset)
        .catch((error: unknown) => {
          throw diskError(error);
        });
      if (bytesRead === 0) throw diskError(new Error("the file has become shorter"));
      offset += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /** Waits until there is something to read at the offset; false at the end of it all. */
  async #reaches(offset: number): Promise<boolean> {
    while (this.#written <= offset) {
      if (this.#failure) throw this.#failure;
      if (this.#ended) return false;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return true;
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const resolve of waiting) resolve();
  }
}
