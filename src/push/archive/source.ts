import { open, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { addAbortSignal } from "node:stream";
import { KpushError, messageOf } from "../../errors.ts";
import { ArchiveIndex } from "../../image/archive-index.ts";
import { readArchiveImage, type ArchiveImage } from "../../image/archive.ts";
import type { ImageContent } from "../../image/content.ts";
import { plain } from "../../image/text.ts";
import { indexDirectory } from "./directory.ts";
import { blobDigest, openRegion, regionEntry, type OpenFile } from "./file.ts";
import { readTar } from "./tar.ts";
import { compressionOf, unpack } from "./unpack.ts";

/** An image archive on disk, listed and understood. */
export interface Archive extends AsyncDisposable, ArchiveImage {
  /** Digest of the config, where the archive is one image for one platform; the image's id in most engines. */
  readonly id: string | undefined;
  /** Digest of the manifest or index that would be pushed of it; undefined where that takes a platform. */
  readonly digest: string | undefined;
}

export interface ArchiveOptions {
  signal: AbortSignal;
  /** What a relative path starts from. */
  cwd?: string | undefined;
  /** Where temporary files go; see `openTemporaryFile`. */
  directory?: string | undefined;
}

/**
 * Opens an archive of `docker save` or Podman, an OCI layout as a tar file, or as a directory. A tar
 * file is walked through once and then read in place; a compressed one is unpacked first.
 *
 * @throws KpushError `IMAGE_NOT_FOUND`, `ARCHIVE_INVALID`, `IMAGE_UNSUPPORTED`, `LOCAL_DISK`, `USAGE`
 */
export async function openArchive(path: string, options: ArchiveOptions): Promise<Archive> {
  const where = options.cwd === undefined ? path : resolve(options.cwd, path);
  const kind = await stat(where).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (kind.isDirectory()) return understand(await indexDirectory(where), () => Promise.resolve());
  if (!kind.isFile()) {
    throw new KpushError(
      "ARCHIVE_INVALID",
      `${plain(path, 300)} is neither a file nor a directory`,
      {
        hint: "save the image to a file first: docker save myapp:dev -o app.tar",
      },
    );
  }
  const index = new ArchiveIndex(path);
  const file = await openFile(where, path, index, options);
  try {
    await listTar(file, index, options.signal);
    return await understand(index, () => file[Symbol.asyncDispose]());
  } catch (error) {
    await file[Symbol.asyncDispose]();
    options.signal.throwIfAborted();
    throw error;
  }
}

async function openFile(
  where: string,
  path: string,
  index: ArchiveIndex,
  { signal, directory }: ArchiveOptions,
): Promise<OpenFile> {
  const handle = await open(where).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    const compression = compressionOf(buffer);
    if (!compression) return { handle, [Symbol.asyncDispose]: async () => handle.close() };
    const unpacked = await unpack(where, compression, index, { signal, directory });
    await handle.close();
    return unpacked;
  } catch (error) {
    await handle.close();
    throw error instanceof KpushError ? error : unreadable(path, error);
  }
}

async function listTar(
  { handle }: OpenFile,
  index: ArchiveIndex,
  signal: AbortSignal,
): Promise<void> {
  const failure = (error: unknown) => unreadable(index.what, error);
  const { size: total } = await handle.stat();
  const stream = addAbortSignal(signal, openRegion({ handle, start: 0, size: total, failure }));
  for await (const file of readTar(stream, index, failure)) {
    const { name, size, position: start } = file;
    index.add(name, regionEntry({ handle, start, size, failure }, blobDigest(name)));
    file.skip();
  }
}

async function understand(index: ArchiveIndex, close: () => PromiseLike<void>): Promise<Archive> {
  const image = await readArchiveImage(index);
  const whole = await image.content(undefined).catch((error: unknown): ImageContent | undefined => {
    if (error instanceof KpushError && error.code === "PLATFORM_NOT_FOUND") return undefined;
    throw error;
  });
  return {
    ...image,
    id: whole?.configDigest,
    digest: whole?.manifests.at(-1)?.digest,
    [Symbol.asyncDispose]: close,
  };
}

function unreadable(path: string, error: unknown): KpushError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const shown = plain(path, 300);
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new KpushError("IMAGE_NOT_FOUND", `there is no file ${shown}`, {
      hint: "for an image of the engine, name it without ./ and without .tar",
      cause: error,
    });
  }
  return new KpushError(
    "ARCHIVE_INVALID",
    `${shown} cannot be read: ${plain(messageOf(error), 300)}`,
    {
      hint: `see its permissions: ls -l ${shown}`,
      cause: error,
    },
  );
}
