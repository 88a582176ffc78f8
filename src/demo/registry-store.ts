import { createHash, randomUUID, type Hash } from "node:crypto";
import { createReadStream, type ReadStream } from "node:fs";
import { mkdir, mkdtemp, open, rename, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface StoredManifest {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

/** One repository: names of what it holds. */
export interface Repository {
  /** Digests of blobs that were uploaded or mounted here. */
  blobs: Set<string>;
  manifests: Map<string, StoredManifest>;
  tags: Map<string, string>;
}

/** A blob that is still coming. */
export interface Upload {
  readonly id: string;
  readonly repository: string;
  /** Bytes that are written. */
  size: number;
  /** Of these bytes. */
  readonly hash: Hash;
  readonly file: FileHandle;
  readonly path: string;
  /** Settles when the request that now writes has ended; requests for one upload take turns. */
  turn: Promise<void>;
}

/** What a registry keeps: blobs as files in a private directory, all else in memory. */
export class RegistryStore implements AsyncDisposable {
  readonly repositories = new Map<string, Repository>();
  readonly uploads = new Map<string, Upload>();
  /** Sizes in bytes by digest, of the blobs whose files are complete. */
  readonly sizes = new Map<string, number>();
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** @param parent - where the private directory is made; the system's unless given */
  static async open(parent = tmpdir()): Promise<RegistryStore> {
    return new RegistryStore(await mkdtemp(join(parent, "kpush-registry-"))); // mode 0700
  }

  /** The repository of this name, made if need be. */
  repository(name: string): Repository {
    const known = this.repositories.get(name);
    if (known) return known;
    const made: Repository = { blobs: new Set(), manifests: new Map(), tags: new Map() };
    this.repositories.set(name, made);
    return made;
  }

  async begin(repository: string): Promise<Upload> {
    const id = randomUUID();
    const path = join(this.#directory, id);
    const file = await open(path, "wx");
    const hash = createHash("sha256");
    const upload: Upload = {
      id,
      repository,
      size: 0,
      hash,
      file,
      path,
      turn: Promise.resolve(),
    };
    this.uploads.set(id, upload);
    return upload;
  }

  /** Makes a complete upload the blob of this digest, which the caller has checked. */
  async commit(upload: Upload, digest: string): Promise<void> {
    this.uploads.delete(upload.id);
    await upload.file.close();
    await rename(upload.path, this.#pathOf(digest));
    this.sizes.set(digest, upload.size);
    this.repository(upload.repository).blobs.add(digest);
  }

  async cancel(upload: Upload): Promise<void> {
    this.uploads.delete(upload.id);
    await upload.file.close();
    await rm(upload.path, { force: true });
  }

  /** @param range - first and last byte, both included */
  read(digest: string, range?: { start: number; end: number }): ReadStream {
    return createReadStream(this.#pathOf(digest), range);
  }

  /** Forgets all content; uploads under way end as unknown. */
  async clear(): Promise<void> {
    const uploads = [...this.uploads.values()];
    this.repositories.clear();
    this.uploads.clear();
    this.sizes.clear();
    for (const upload of uploads) await upload.file.close();
    await rm(this.#directory, { recursive: true, force: true });
    await mkdir(this.#directory, { mode: 0o700 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const upload of this.uploads.values()) await upload.file.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #pathOf(digest: string): string {
    return join(this.#directory, digest.replace(":", "-"));
  }
}
