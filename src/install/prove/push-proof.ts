import { Readable } from "node:stream";
import { KpushError } from "../../errors.ts";
import type { RegistryClient } from "../../registry/types.ts";
import { proofRepository as repository, type ProofImage } from "./proof-image.ts";
import { isUnwritable, unwritable } from "./unwritable.ts";

/**
 * Pushes the image and reads its digest back.
 *
 * @throws KpushError `REGISTRY_READ_ONLY` where {@link isUnwritable} holds, `VERIFY_FAILED`, and what
 *   the registry client throws
 */
export async function pushProof(registry: RegistryClient, image: ProofImage): Promise<void> {
  const { blobs, manifests, index, tag, digest } = image;
  try {
    await Promise.all(blobs.map((blob) => registry.uploadBlob(repository, sourceOf(blob))));
    await Promise.all(manifests.map((one) => registry.putManifest(repository, one.digest, one)));
    await registry.putManifest(repository, tag, index);
  } catch (error) {
    throw error instanceof KpushError && isUnwritable(error) ? unwritable(error) : error;
  }
  const served = await registry.headManifest(repository, tag);
  if (served?.digest === digest) return;
  throw new KpushError(
    "VERIFY_FAILED",
    `${repository}:${tag} was pushed, but the registry serves ${served?.digest ?? "nothing"} in place of ${digest}`,
    { hint: "the registry loses data: look at its volume and its log" },
  );
}

/** Removes all of it from the repository; each part may be missing. */
export async function removeProof(registry: RegistryClient, image: ProofImage): Promise<void> {
  // From the top down: some registries keep what something else refers to.
  await registry.deleteManifest(repository, image.digest);
  await Promise.all(
    image.manifests.map(({ digest }) => registry.deleteManifest(repository, digest)),
  );
  await Promise.all(image.blobs.map(({ digest }) => registry.deleteBlob(repository, digest)));
}

function sourceOf({ digest, bytes }: ProofImage["blobs"][number]) {
  return {
    digest,
    size: bytes.length,
    open: (offset: number) => Readable.from([bytes.subarray(offset)]),
  };
}
