import { createHash, type Hash } from "node:crypto";
import type { ArchiveEntry } from "../../image/archive-index.ts";
import { regionEntry, type OpenFile } from "./file.ts";
import { diskError, openTemporaryFile } from "./temp.ts";

/** Bytes that are gathered for one write. */
const writeSize = 1024 * 1024;

/**
 * One entry of a stream, kept in a temporary file: it can be read again from any offset, as an upload
 * over a socket that may be lost needs it, and already while it is still being written.
 */
export class Spool implements AsyncDisposable {
  readonly entry: ArchiveEntry;
  readonly #file: OpenFile;
  readonly #hash: Hash | undefined;
  #digest: string | undefined;
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #written = 0;
  #failure: Error | undefined;
  #wake: (() => void)[] = [];

  private constructor(file: OpenFile, size: number, digest: string | undefined) {
    this.#file = file;
    this.#digest = digest;
    this.#hash = digest === undefined ? createHash("sha256") : undefined;
    const readable = (offset: number) => this.#readable(offset);
    this.entry = regionEntry(
      { handle: file.handle, start: 0, size, readable, failure: diskError },
      digest,
    );
  }

  /** @param digest - of the content where it is known; else it is computed while writing */
  static async open(
    size: number,
    digest: string | undefined,
    directory: string | undefined,
  ): Promise<Spool> {
    return new Spool(await openTemporaryFile(directory), size, digest);
  }

  async write(chunk: Buffer): Promise<void> {
    this.#hash?.update(chunk);
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.length;
    if (this.#gatheredBytes >= writeSize) await this.#flush();
  }

  /** @returns the digest: the known one, or that of what was written */
  async finish(): Promise<string> {
    await this.#flush();
    this.#digest ??= `sha256:${this.#hash?.digest("hex") ?? ""}`;
    return this.#digest;
  }

  /** Ends readers that wait for more than was written. */
  fail(error: Error): void {
    this.#failure = error;
    this.#notify();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fail(new Error("the temporary file was closed"));
    await this.#file[Symbol.asyncDispose]();
  }

  async #flush(): Promise<void> {
    let buffers = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    try {
      // A disk that fills up takes a part first.
      while (buffers.length > 0) {
        const { bytesWritten } = await this.#file.handle.writev(buffers, this.#written);
        this.#written += bytesWritten;
        buffers = rest(buffers, bytesWritten);
      }
    } catch (error) {
      const failure = diskError(error);
      this.fail(failure);
      throw failure;
    }
    this.#notify();
  }

  async #readable(offset: number): Promise<number> {
    while (this.#written <= offset) {
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return this.#written;
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const resolve of waiting) resolve();
  }
}

function rest(buffers: Buffer[], written: number): Buffer[] {
  let skip = written;
  return buffers.flatMap((buffer) => {
    const left = buffer.subarray(Math.min(skip, buffer.length));
    skip -= buffer.length - left.length;
    return left.length > 0 ? [left] : [];
  });
}
