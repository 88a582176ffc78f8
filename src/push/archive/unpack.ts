import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { KpushError, messageOf } from "../../errors.ts";
import type { ArchiveIndex } from "../../image/archive-index.ts";
import { plain } from "../../image/text.ts";
import type { OpenFile } from "./file.ts";
import { diskError, openTemporaryFile } from "./temp.ts";

export type Compression = "gzip" | "zstd";

/** By the first bytes of a file, whatever its name says. */
export function compressionOf(start: Buffer): Compression | undefined {
  if (start.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) return "gzip";
  if (start.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))) return "zstd";
  return undefined;
}

/**
 * Unpacks a compressed archive into a temporary file: a compressed one cannot be read at an offset.
 *
 * @throws KpushError `ARCHIVE_INVALID`, `LOCAL_DISK`, `USAGE` where this Node.js cannot unpack it
 */
export async function unpack(
  path: string,
  compression: Compression,
  index: ArchiveIndex,
  { signal, directory }: { signal: AbortSignal; directory: string | undefined },
): Promise<OpenFile> {
  const unpacker =
    compression === "gzip" ? zlib.createGunzip({ chunkSize: 256 * 1024 }) : createZstd(path);
  const file = await openTemporaryFile(directory);
  try {
    await pipeline(
      createReadStream(path, { highWaterMark: 1024 * 1024 }),
      unpacker,
      async (unpacked: AsyncIterable<Buffer>) => {
        // Goes on at the file's position, and writes all of a chunk.
        for await (const chunk of unpacked) await file.handle.writeFile(chunk);
      },
      { signal },
    );
    return file;
  } catch (error) {
    await file[Symbol.asyncDispose]();
    signal.throwIfAborted();
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw /^(?:Z_|ZSTD_)/.test(code) ? index.damaged(messageOf(error), error) : diskError(error);
  }
}

/** Node.js has it since 22.15. */
function createZstd(path: string): zlib.Gunzip {
  const { createZstdDecompress } = zlib as unknown as { createZstdDecompress?: () => zlib.Gunzip };
  if (createZstdDecompress) return createZstdDecompress();
  const shown = plain(path, 300);
  throw new KpushError(
    "USAGE",
    `${shown} is compressed with zstd, which this version of Node.js cannot read`,
    {
      hint: `zstd -d ${shown}`,
    },
  );
}
