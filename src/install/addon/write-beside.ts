import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { KpushError } from "../../errors.ts";
import { digestOf } from "../../image/digest.ts";
import type { RegistryClient } from "../../registry/types.ts";
import { isUnwritable, unwritable } from "../prove/unwritable.ts";

/**
 * Proves that the registry can write where the old one wrote: that it can make a repository of its own
 * does not tell whether it can push to one that is there. Nothing but a few unnamed bytes stays.
 *
 * @throws KpushError `REGISTRY_READ_ONLY` where {@link isUnwritable} holds, and what a push throws
 */
export async function writeBeside(registry: RegistryClient, repository: string): Promise<void> {
  const bytes = randomBytes(32);
  const digest = digestOf(bytes);
  const open = (offset: number) => Readable.from([bytes.subarray(offset)]);
  try {
    await registry.uploadBlob(repository, { digest, size: bytes.length, open });
    await registry.deleteBlob(repository, digest);
  } catch (error) {
    throw error instanceof KpushError && isUnwritable(error) ? unwritable(error) : error;
  }
}
