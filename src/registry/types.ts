import type { Readable } from "node:stream";
import type { SocketAgent } from "../tunnel/types.ts";

export interface Manifest {
  digest: string;
  mediaType: string;
  /** The exact bytes, at most 4 MiB. */
  bytes: Buffer;
}

/** Something that can be read again from any offset until the registry has taken it. */
export interface BlobSource {
  digest: string;
  size: number;
  open: (offset: number) => Readable | Promise<Readable>;
}

/** Content whose digest only its end tells. It is the same each time that it is read. */
export interface StreamSource {
  open: (offset: number) => Readable | Promise<Readable>;
  /**
   * What was read, once one of the streams has ended.
   *
   * @throws KpushError where it must not be kept
   */
  result: () => { digest: string; size: number };
}

/** OCI distribution client over `connect()`. Errors are KpushErrors `REGISTRY_*`, `PUSH_REJECTED`, or what `connect` threw. */
export interface RegistryClient extends AsyncDisposable {
  /** Its sockets, for whoever else has requests for the registry. */
  readonly agent: SocketAgent;
  /** `GET /v2/`: the only proof that a registry listens there. */
  ping(): Promise<void>;
  headManifest(
    repository: string,
    reference: string,
  ): Promise<{ digest: string; mediaType: string } | undefined>;
  getManifest(repository: string, reference: string): Promise<Manifest | undefined>;
  putManifest(
    repository: string,
    reference: string,
    manifest: Omit<Manifest, "digest">,
  ): Promise<{ digest: string }>;
  deleteManifest(repository: string, reference: string): Promise<void>;
  /** Names in alphabetical order, at most `most` of those that come after `last`. */
  listRepositories(most: number, last?: string): Promise<string[]>;
  /** At most `most` tags; none where the repository is not there. */
  listTags(repository: string, most: number): Promise<string[]>;
  hasBlob(repository: string, digest: string): Promise<boolean>;
  /** Takes a blob out of a repository; it is fine where it is not there. */
  deleteBlob(repository: string, digest: string): Promise<void>;
  /** A stream of the blob; the caller checks the digest. */
  getBlob(repository: string, digest: string): Promise<Readable>;
  /**
   * Takes a blob over from another repository of the same registry.
   *
   * @returns false where it is not there, or the registry does not do that
   */
  mountBlob(repository: string, digest: string, from: string): Promise<boolean>;
  /** Uploads while the digest is still being computed. `onBytes` as for `uploadBlob`. */
  uploadStream(
    repository: string,
    source: StreamSource,
    onBytes?: (sent: number) => void,
  ): Promise<{ digest: string; size: number }>;
  /** @param onBytes - called with the offset that the registry has surely not refused so far */
  uploadBlob(repository: string, blob: BlobSource, onBytes?: (sent: number) => void): Promise<void>;
}
