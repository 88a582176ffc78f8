import { statfs } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { asError, KpushError, messageOf } from "../../errors.ts";
import type { ArchiveIndex } from "../../image/archive-index.ts";
import { plain } from "../../image/text.ts";
import type { OpenFile } from "./file.ts";
import { diskError, openTemporaryFile } from "./temp.ts";

export type Compression = "gzip" | "zstd";

export interface KeepOptions {
  signal: AbortSignal;
  /** Where the temporary file goes; see `openTemporaryFile`. */
  directory?: string | undefined;
  /** Bytes that any archive may unpack to, however small it was; 4 GiB unless given. */
  unpacksTo?: number | undefined;
  /** Makes the error where the source itself failed. */
  failure: (error: unknown) => Error;
}

/** A temporary file with an archive in it, ready to be read at any offset. */
export interface Kept extends OpenFile {
  /** Bytes that came. */
  readonly received: number;
  /** Bytes of the file. */
  readonly size: number;
}

/** Of the space that is free when it begins: a full disk harms more than this push. */
const shareOfDisk = 0.9;
/** How many times its size an archive may unpack to, once it is large. Programs shrink to a third. */
const mostRatio = 100;

/** By the first bytes of a file, whatever its name says. */
export function compressionOf(start: Buffer): Compression | undefined {
  if (start.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) return "gzip";
  if (start.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))) return "zstd";
  return undefined;
}

/**
 * Writes an archive that comes as a stream to a temporary file, unpacked where it is compressed: neither
 * can be read at an offset.
 *
 * @throws KpushError `ARCHIVE_INVALID`, `LOCAL_DISK`, `USAGE` where this Node.js cannot unpack it, or
 *   as `failure`
 */
export async function keep(
  source: Readable,
  index: ArchiveIndex,
  options: KeepOptions,
): Promise<Kept> {
  const { signal, directory, failure } = options;
  const file = await openTemporaryFile(directory);
  let received = 0;
  let size = 0;
  try {
    addAbortSignal(signal, source);
    const chunks = (source as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    const start = await firstBytes(chunks);
    const compression = compressionOf(start);
    const all = async function* () {
      received = start.length;
      yield start;
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
        received += next.value.length;
        yield next.value;
      }
    };
    const limit = await openLimit(index, options, compression);
    const write = async (content: AsyncIterable<Buffer>) => {
      for await (const chunk of content) {
        limit(size + chunk.length, received);
        // Goes on at the file's position, and writes all of a chunk.
        await file.handle.writeFile(chunk).catch((error: unknown) => {
          throw diskError(error, directory);
        });
        size += chunk.length;
      }
    };
    if (compression) await pipeline(all, unpacker(compression, index.what), write, { signal });
    else await pipeline(all, write, { signal });
    return { ...file, received, size };
  } catch (error) {
    source.destroy();
    await file[Symbol.asyncDispose]();
    signal.throwIfAborted();
    throw explain(error, index, failure);
  }
}

async function firstBytes(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  let start = Buffer.alloc(0);
  while (start.length < 4) {
    const next = await chunks.next();
    if (next.done === true) break;
    start = Buffer.concat([start, next.value]);
  }
  return start;
}

/** Refuses what would fill the disk, or unpacks without end. */
async function openLimit(
  index: ArchiveIndex,
  { directory, unpacksTo = 4 * 1024 ** 3 }: KeepOptions,
  compression: Compression | undefined,
): Promise<(size: number, received: number) => void> {
  const where = directory ?? "/var/tmp";
  const room = await statfs(where).then(
    ({ bavail, bsize }) => bavail * bsize * shareOfDisk,
    () => Infinity, // the write itself will tell
  );
  return (size, received) => {
    if (size > room) {
      throw new KpushError(
        "LOCAL_DISK",
        `${plain(index.what, 300)} takes more than nine tenths of what is free in ${where}`,
        { hint: "free some space, or set TMPDIR to a directory that has room for it" },
      );
    }
    if (!compression || size <= unpacksTo || size <= received * mostRatio) return;
    throw new KpushError(
      "ARCHIVE_INVALID",
      `${plain(index.what, 300)} unpacks to more than ${mostRatio} times its size, as no image should`,
      { hint: "if you trust it, unpack it yourself and push the .tar file" },
    );
  };
}

function explain(error: unknown, index: ArchiveIndex, failure: (error: unknown) => Error): Error {
  if (error instanceof KpushError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /^(?:Z_|ZSTD_)/.test(code)
    ? index.damaged(messageOf(error), error)
    : failure(asError(error));
}

function unpacker(compression: Compression, what: string): zlib.Gunzip {
  if (compression === "gzip") return zlib.createGunzip({ chunkSize: 256 * 1024 });
  // Node.js has it since 22.15.
  const { createZstdDecompress } = zlib as unknown as { createZstdDecompress?: () => zlib.Gunzip };
  if (createZstdDecompress) return createZstdDecompress();
  const shown = plain(what, 300);
  throw new KpushError(
    "USAGE",
    `${shown} is compressed with zstd, which this version of Node.js cannot read`,
    { hint: "use Node.js 22.15 or newer, or unpack it first: zstd -d" },
  );
}
