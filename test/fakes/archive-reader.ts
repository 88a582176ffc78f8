import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { openArchive } from "../../src/push/archive/source.ts";

/** A directory in which archives are written and read, and which shows what is left there. */
export interface ArchiveReader extends AsyncDisposable {
  directory: string;
  /** Opens an archive; resolves with its names and the content of its first layer. */
  read(bytes: Buffer, options?: { unpacksTo?: number }): Promise<ReadArchive>;
  /** All that lies there: `app.tar`, and what kpush should have removed. */
  files(): Promise<string[]>;
}

export interface ReadArchive {
  names: string[];
  layer: string | undefined;
}

export async function openArchiveReader(): Promise<ArchiveReader> {
  const directory = await mkdtemp(join(tmpdir(), "archive-test-"));
  const { signal } = new AbortController();
  return {
    directory,
    async read(bytes, options = {}) {
      await writeFile(join(directory, "app.tar"), bytes);
      await using archive = await openArchive("./app.tar", {
        ...{ signal, cwd: directory, directory, ...options },
      });
      const [image] = archive.images;
      const { blobs } = await image.content(undefined);
      const layer = blobs.find(({ kind }) => kind === "layer");
      return {
        names: image.names,
        layer: layer && (await buffer(layer.entry.open(0))).toString(),
      };
    },
    files: () => readdir(directory),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}
