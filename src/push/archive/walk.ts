import type { FileHandle } from "node:fs/promises";
import type { ArchiveIndex } from "../../image/archive-index.ts";
import { blobDigest, regionEntry } from "./file.ts";
import { blockSize, readHeader, readPax, text, type TarHeader } from "./header.ts";

/** More than any name, and not enough to fill the memory. */
const longHeaderLimit = 1024 * 1024;

export interface TarOnDisk {
  handle: FileHandle;
  /** Bytes. */
  size: number;
  signal: AbortSignal;
  /** Makes the error where a read fails. */
  failure: (error: unknown) => Error;
}

/** What the headers before an entry say of it; theirs goes before what its own says. */
type Override = Partial<Pick<TarHeader, "name" | "target" | "size">>;

/**
 * Lists a tar file: goes from header to header and leaves out what is between them, so that it takes
 * no longer for a large archive. A global pax header says nothing of names and sizes that would hold here.
 *
 * @throws KpushError `ARCHIVE_INVALID` where the archive is cut off or no tar at all, or as `failure`
 */
export async function listTar(tar: TarOnDisk, index: ArchiveIndex): Promise<void> {
  const { handle, size, signal, failure } = tar;
  const block = Buffer.alloc(blockSize);
  let override: Override = {};
  let zeros = 0;
  for (let at = 0; at < size && zeros < 2;) {
    signal.throwIfAborted();
    await readAt(tar, index, block, at);
    const own = broken(index, () => readHeader(block));
    at += blockSize;
    zeros = own ? 0 : zeros + 1;
    if (!own) continue;
    if (isLong(own)) {
      if (own.size > longHeaderLimit) throw index.damaged("a name in it has no end");
      const bytes = Buffer.alloc(own.size);
      await readAt(tar, index, bytes, at);
      override = { ...override, ...broken(index, () => readLong(own, bytes)) };
    } else {
      const header = { ...own, ...override };
      override = {};
      if (at + header.size > size) throw cutOff(index);
      if (header.kind === "link") index.addLink(header.name, header.target, "root");
      if (header.kind === "symlink") index.addLink(header.name, header.target, "directory");
      if (header.kind === "file") {
        const region = { handle, start: at, size: header.size, failure };
        index.add(header.name, regionEntry(region, blobDigest(header.name)));
      }
      own.size = header.size;
    }
    at += Math.ceil(own.size / blockSize) * blockSize;
  }
}

function isLong({ kind }: TarHeader): boolean {
  return kind === "pax" || kind === "long-name" || kind === "long-target";
}

function readLong({ kind }: TarHeader, bytes: Buffer): Override {
  if (kind === "pax") return readPax(bytes);
  return kind === "long-name" ? { name: text(bytes) } : { target: text(bytes) };
}

async function readAt(
  { handle, size, failure }: TarOnDisk,
  index: ArchiveIndex,
  into: Buffer,
  at: number,
): Promise<void> {
  if (at + into.length > size) throw cutOff(index);
  for (let filled = 0; filled < into.length;) {
    const { bytesRead } = await handle
      .read(into, filled, into.length - filled, at + filled)
      .catch((error: unknown) => {
        throw failure(error);
      });
    if (bytesRead === 0) throw cutOff(index);
    filled += bytesRead;
  }
}

function broken<T>(index: ArchiveIndex, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw index.damaged("it is no tar archive, or a broken one", error);
  }
}

function cutOff(index: ArchiveIndex): Error {
  return index.damaged("it is cut off");
}
