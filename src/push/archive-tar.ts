import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { messageOf } from "../errors.ts";
import type { ArchiveIndex } from "../image/archive-index.ts";

/** One file of a tar stream; its content must be read or skipped before the next. */
export interface TarFile {
  name: string;
  size: number;
  /** Where the content begins in the stream, in bytes. */
  position: number;
  content: AsyncIterable<Buffer>;
  skip: () => void;
}

/**
 * Walks through a tar stream: links go into the index, files are handed out in order.
 *
 * @param sourceFailed - makes the error where the stream itself broke, not the archive in it
 * @throws KpushError `ARCHIVE_INVALID` where the archive is cut off or no tar at all
 */
export async function* readTar(
  source: Readable,
  index: ArchiveIndex,
  sourceFailed: (error: unknown) => Error,
): AsyncGenerator<TarFile> {
  const tar = extract();
  let broken: unknown;
  source.once("error", (error) => (broken = error));
  const piped = pipeline(source, tar as unknown as NodeJS.WritableStream);
  piped.catch(() => undefined); // the loop below sees it
  try {
    for await (const entry of tar as AsyncIterable<TarEntry>) {
      const file = describe(entry, index);
      if (file) yield file;
      else entry.resume();
    }
    await piped;
  } catch (error) {
    if (broken !== undefined) throw sourceFailed(broken);
    throw isTarError(error) ? index.damaged(explain(error), error) : error;
  } finally {
    source.destroy();
  }
}

/** Bytes of an entry's header, which its content follows. */
const headerSize = 512;

interface TarEntry extends AsyncIterable<Uint8Array> {
  header: Header;
  /** Where its header begins. */
  offset: number;
  resume(): unknown;
}

function describe(entry: TarEntry, index: ArchiveIndex): TarFile | undefined {
  const { name, type, size, linkname } = entry.header;
  if (type === "symlink") index.addLink(name, linkname, "directory");
  else if (type === "link") index.addLink(name, linkname, "root");
  else if (type === "file" || type === "contiguous-file") {
    return {
      name,
      size,
      position: entry.offset + headerSize,
      content: entry as AsyncIterable<Buffer>,
      skip: () => void entry.resume(),
    };
  }
  return undefined;
}

/** What tar-stream throws has no class of its own. */
function isTarError(error: unknown): error is Error {
  return /unexpected end of data|invalid (?:tar )?header|exceeds max size/i.test(messageOf(error));
}

function explain(error: Error): string {
  return /unexpected end/i.test(error.message)
    ? "it is cut off"
    : "it is no tar archive, or a broken one";
}
