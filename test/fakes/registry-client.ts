import { Readable } from "node:stream";
import { digestOf } from "../../src/image/digest.ts";
import { registryClient } from "../../src/registry/client.ts";
import type { BlobSource, RegistryClient } from "../../src/registry/types.ts";
import type { FaultyRegistry } from "./registry.ts";

/** A client whose patience is measured in milliseconds. */
export function clientOf(
  faulty: Pick<FaultyRegistry, "connect">,
  signal = new AbortController().signal,
): RegistryClient {
  const timings = {
    backoff: [1, 2] as [number, number],
    attempts: 3,
    answer: 5_000,
    retryAfter: 50,
  };
  return registryClient({ connect: faulty.connect, signal, timings });
}

/** A blob in pieces of 64 KiB, which are what a stream of an engine has. */
export function blobOf(bytes: Buffer): BlobSource {
  const size = 65_536;
  const chunks = (offset: number) =>
    Array.from({ length: Math.ceil((bytes.length - offset) / size) }, (_, at) =>
      bytes.subarray(offset + at * size, offset + (at + 1) * size),
    );
  return {
    digest: digestOf(bytes),
    size: bytes.length,
    open: (offset) => Readable.from(chunks(offset), { objectMode: false }),
  };
}
