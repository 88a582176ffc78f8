import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { KpushError, messageOf } from "../../errors.ts";
import type { ArchiveIndex } from "../../image/archive-index.ts";

/** One file of a tar stream; its content must be read or skipped before the next. */
export interface TarFile {
  name: string;
  size: number;
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
  const piped = pipeline(source, tar as unknown as NodeJS.WritableStream);
  piped.catch(() => undefined); // whoever reads sees it
  const explain = async (error: unknown): Promise<unknown> => {
    if (error instanceof KpushError) return error;
    // A reader sees that the stream was destroyed; the pipe knows why.
    const first: unknown = await piped.then(
      () => error,
      (why: unknown) => why,
    );
    return isTarError(first) ? index.damaged(tarWords(first), first) : sourceFailed(first);
  };
  try {
    for await (const entry of tar as AsyncIterable<TarEntry>) {
      const file = describe(entry, index, explain);
      if (file) yield file;
      else entry.resume();
    }
    await piped;
  } catch (error) {
    throw await explain(error);
  } finally {
    source.destroy();
  }
}

interface TarEntry extends AsyncIterable<Uint8Array> {
  header: Header;
  resume(): unknown;
}

function describe(
  entry: TarEntry,
  index: ArchiveIndex,
  explain: (error: unknown) => Promise<unknown>,
): TarFile | undefined {
  const { name, type, size, linkname } = entry.header;
  if (type === "symlink") index.addLink(name, linkname, "directory");
  else if (type === "link") index.addLink(name, linkname, "root");
  else if (type === "file" || type === "contiguous-file") {
    return {
      name,
      size,
      content: contentOf(entry, explain),
      skip: () => void entry.resume(),
    };
  }
  return undefined;
}

async function* contentOf(
  entry: TarEntry,
  explain: (error: unknown) => Promise<unknown>,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of entry) yield chunk as Buffer;
  } catch (error) {
    throw await explain(error);
  }
}

/** What tar-stream throws has no class of its own. */
function isTarError(error: unknown): error is Error {
  return /unexpected end of data|invalid (?:tar )?header|exceeds max size/i.test(messageOf(error));
}

function tarWords(error: Error): string {
  return /unexpected end/i.test(error.message)
    ? "it is cut off"
    : "it is no tar archive, or a broken one";
}
