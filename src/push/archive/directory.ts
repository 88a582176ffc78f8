import { createReadStream } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ArchiveEntry, ArchiveIndex } from "../../image/archive-index.ts";
import { isDigest } from "../../image/digest.ts";

/** Lists a directory that is an OCI image layout. Only files whose names are digests are looked at. */
export async function indexDirectory(path: string, index: ArchiveIndex): Promise<void> {
  await addFile(index, "index.json", join(path, "index.json"), undefined);
  for (const algorithm of ["sha256", "sha512"]) {
    const directory = join(path, "blobs", algorithm);
    for (const hex of await readdir(directory).catch(() => [])) {
      const digest = `${algorithm}:${hex}`;
      if (isDigest(digest))
        await addFile(index, `blobs/${algorithm}/${hex}`, join(directory, hex), digest);
    }
  }
}

async function addFile(
  index: ArchiveIndex,
  name: string,
  path: string,
  digest: string | undefined,
): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) index.add(name, fileEntry(path, found.size, digest));
}

function fileEntry(path: string, size: number, digest: string | undefined): ArchiveEntry {
  return {
    size,
    digest,
    // A file that grows is another than the one that was looked at.
    open: (start) =>
      createReadStream(path, { start, end: Math.max(start, size - 1), highWaterMark: 1024 * 1024 }),
    async head(limit) {
      await using file = await open(path);
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(Math.min(limit, size)),
        0,
        Math.min(limit, size),
        0,
      );
      return buffer.subarray(0, bytesRead);
    },
  };
}
