import { open, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { KpushError, messageOf } from "../../errors.ts";
import type { Report } from "../../events.ts";
import { ArchiveIndex } from "../../image/archive-index.ts";
import { readArchiveImages, type ArchiveImage } from "../../image/archive.ts";
import type { ImageContent } from "../../image/content.ts";
import { plain } from "../../image/text.ts";
import { indexDirectory } from "./directory.ts";
import type { OpenFile } from "./file.ts";
import { compressionOf, keep } from "./keep.ts";
import { listTar } from "./walk.ts";

/** One image of an archive. */
export interface Archive extends ArchiveImage {
  /** Digest of the config, where it is one image for one platform; the image's id in most engines. */
  readonly id: string | undefined;
  /** Digest of the manifest or index that would be pushed; undefined where `content` would throw. */
  readonly digest: string | undefined;
}

/** An archive that is listed and understood, and stays open until it is disposed. */
export interface OpenArchive extends AsyncDisposable {
  readonly images: readonly [Archive, ...Archive[]];
}

export interface ArchiveOptions {
  signal: AbortSignal;
  /** What a relative path starts from. */
  cwd?: string | undefined;
  /** Where temporary files go; see `openTemporaryFile`. */
  directory?: string | undefined;
  /** The platform whose ids and digests are told; all that is there unless given. */
  platform?: string | undefined;
  /** Is told of temporary files. */
  report?: Report | undefined;
  /** See `keep`. */
  unpacksTo?: number | undefined;
}

/**
 * Opens an archive of `docker save` or Podman, an OCI layout as a tar file, or as a directory. A tar
 * file is read in place; a compressed one is unpacked into a temporary file first.
 *
 * @throws KpushError `IMAGE_NOT_FOUND`, `ARCHIVE_INVALID`, `LOCAL_DISK`, `USAGE`
 */
export async function openArchive(path: string, options: ArchiveOptions): Promise<OpenArchive> {
  const where = options.cwd === undefined ? path : resolve(options.cwd, path);
  const failure = (error: unknown) => unreadable(path, error);
  const kind = await stat(where).catch((error: unknown) => {
    throw failure(error);
  });
  const index = new ArchiveIndex(path);
  if (kind.isDirectory()) {
    await indexDirectory(where, index);
    return understand(index, options, () => Promise.resolve());
  }
  if (!kind.isFile()) {
    throw new KpushError(
      "ARCHIVE_INVALID",
      `${plain(path, 300)} is neither a file nor a directory`,
      { hint: "to push what a command writes, pipe it: docker save myapp:dev | kpush -" },
    );
  }
  const handle = await open(where).catch((error: unknown) => {
    throw failure(error);
  });
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0).catch((error: unknown) => {
      throw failure(error);
    });
    if (!compressionOf(buffer))
      return await readTar({ handle, [Symbol.asyncDispose]: () => handle.close() }, index, options);
    const packed = handle.createReadStream({ start: 0, highWaterMark: 1024 * 1024 });
    return await readKept(packed, index, options, failure);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Opens an archive that comes on standard input, which cannot be read twice: it is kept in a temporary
 * file first, unpacked where it is compressed.
 *
 * @throws KpushError `ARCHIVE_INVALID`, `LOCAL_DISK`, `USAGE`
 */
export async function openArchiveStream(
  source: Readable,
  options: ArchiveOptions,
): Promise<OpenArchive> {
  const what = "standard input";
  return readKept(source, new ArchiveIndex(what), options, (error) => unreadable(what, error));
}

async function readKept(
  source: Readable,
  index: ArchiveIndex,
  options: ArchiveOptions,
  failure: (error: unknown) => Error,
): Promise<OpenArchive> {
  const { report = () => undefined } = options;
  const file = await keep(source, index, { ...options, failure });
  const { received, size } = file;
  if (received === 0) {
    await file[Symbol.asyncDispose]();
    throw new KpushError("ARCHIVE_INVALID", `${plain(index.what, 300)} is empty`, {
      hint: "see whether what should have written the image failed",
    });
  }
  const message = `${plain(index.what, 300)}: ${received} bytes, kept as ${size} in a temporary file`;
  report({ type: "debug", message });
  try {
    return await readTar(file, index, options);
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

async function readTar(
  file: OpenFile,
  index: ArchiveIndex,
  options: ArchiveOptions,
): Promise<OpenArchive> {
  const { handle } = file;
  const failure = (error: unknown) => unreadable(index.what, error);
  const { size } = await handle.stat();
  await listTar({ handle, size, signal: options.signal, failure }, index);
  return understand(index, options, () => file[Symbol.asyncDispose]());
}

async function understand(
  index: ArchiveIndex,
  { platform }: ArchiveOptions,
  close: () => PromiseLike<void>,
): Promise<OpenArchive> {
  const [first, ...others] = await readArchiveImages(index);
  const images: [Archive, ...Archive[]] = [await describe(first, platform)];
  // One after the other, so that no more than one config is in memory.
  for (const image of others) images.push(await describe(image, platform));
  return { images, [Symbol.asyncDispose]: close };
}

async function describe(image: ArchiveImage, platform: string | undefined): Promise<Archive> {
  // Asked for again by whoever pushes it, and an archive with compressed layers takes a while to tell.
  const asked = image.content(platform);
  const content = await asked.catch((): ImageContent | undefined => undefined);
  return {
    names: image.names,
    id: content?.configDigest,
    digest: content?.manifests.at(-1)?.digest,
    content: (wanted) => (wanted === platform ? asked : image.content(wanted)),
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
    { hint: `see its permissions: ls -l ${shown}`, cause: error },
  );
}
