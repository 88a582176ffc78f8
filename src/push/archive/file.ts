import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import type { ArchiveEntry } from "../../image/archive-index.ts";
import { isDigest } from "../../image/digest.ts";

/** Bytes of one read: with large ones an upload costs half the CPU time. */
const readSize = 512 * 1024;

/**
 * Buffers that take turns in one upload. One is being filled, one waits in the stream, one is being
 * sent, and the end of another may still wait in the connection, so a fifth is surely free. New ones for each read would be garbage of some 16 MiB more at the peak.
 */
const buffersInTurn = 5;

/** An open file that is closed when it is disposed. */
export interface OpenFile extends AsyncDisposable {
  readonly handle: FileHandle;
}

/** The digest that a blob of an OCI layout has by its name; undefined for any other entry. */
export function blobDigest(name: string): string | undefined {
  const digest = /^(?:\.\/)?blobs\/(sha\d+\/[0-9a-f]+)$/.exec(name)?.[1]?.replace("/", ":");
  return isDigest(digest) ? digest : undefined;
}

/** A stretch of an open file; `read` is told when a read fails, and makes the error. */
export interface Region {
  handle: FileHandle;
  /** Where it begins in the file, in bytes. */
  start: number;
  size: number;
  /** Resolves with how much of it can be read, once that is more than `offset`. */
  readable?: (offset: number) => Promise<number>;
  failure: (error: unknown) => Error;
}

/** An entry that lies in a file. */
export function regionEntry(region: Region, digest?: string): ArchiveEntry {
  const { size } = region;
  return {
    size,
    digest,
    open(offset) {
      const buffers: Buffer[] = [];
      let turn = 0;
      const next = () => {
        turn = (turn + 1) % buffersInTurn;
        return (buffers[turn] ??= Buffer.allocUnsafeSlow(Math.min(readSize, size)));
      };
      const options = { objectMode: false, highWaterMark: readSize };
      return Readable.from(read(region, offset, size, next), options);
    },
    async head(limit) {
      const small = () => Buffer.allocUnsafe(Math.min(limit, readSize));
      const chunks: Buffer[] = [];
      for await (const chunk of read(region, 0, Math.min(limit, size), small)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
  };
}

/** An entry that is small enough to be remembered. */
export function memoryEntry(bytes: Buffer, digest?: string): ArchiveEntry {
  return {
    size: bytes.length,
    digest,
    open: (offset) => Readable.from([bytes.subarray(offset)], { objectMode: false }),
    head: (limit) => Promise.resolve(bytes.subarray(0, limit)),
  };
}

async function* read(
  region: Region,
  from: number,
  to: number,
  nextBuffer: () => Buffer,
): AsyncGenerator<Buffer> {
  const { handle, start, readable, failure } = region;
  let offset = from;
  while (offset < to) {
    const end = readable ? Math.min(to, await readable(offset)) : to;
    const buffer = nextBuffer();
    const { bytesRead } = await handle
      .read(buffer, 0, Math.min(buffer.length, end - offset), start + offset)
      .catch((error: unknown) => {
        throw failure(error);
      });
    if (bytesRead === 0) throw failure(new Error("the file has become shorter"));
    offset += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
