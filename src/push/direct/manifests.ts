import type { Report } from "../../events.ts";
import type { ImageContent } from "../../image/content.ts";
import { familyOf, rewriteImage, type StoredLayer } from "../../image/rewrite.ts";
import { RegistryProblem } from "../../registry/problem.ts";
import type { RegistryClient } from "../../registry/types.ts";
import type { Target } from "../types.ts";

export interface ManifestsToPut {
  registry: Pick<RegistryClient, "putManifest">;
  target: Target;
  manifests: ImageContent["manifests"];
  /** Layers that lie in the registry in another form, by the digests that the manifests have. */
  layers: ReadonlyMap<string, StoredLayer>;
  report: Report;
}

/**
 * Puts an image's manifests, the one that gets the tag last. Registries that know one family of media
 * types alone (old ones Docker's, zot OCI's) get the image in that one; its config, and so its id, stays.
 *
 * @returns the digest of the one that got the tag
 */
export async function putManifests(putting: ManifestsToPut): Promise<string> {
  const { manifests, layers, report } = putting;
  const wanted = rewriteImage(manifests, layers);
  try {
    return await putAll(putting, wanted);
  } catch (error) {
    const [top] = wanted.slice(-1);
    if (!top || !refusesType(error)) throw error;
    const family = familyOf(top) === "oci" ? "docker" : "oci";
    const message = `the registry does not take ${top.mediaType}: trying ${family} types`;
    report({ type: "debug", message });
    return putAll(putting, rewriteImage(manifests, layers, family)).catch(() => {
      throw error; // the first refusal tells more
    });
  }
}

async function putAll(
  { registry, target: { repository, tags } }: ManifestsToPut,
  manifests: ImageContent["manifests"],
): Promise<string> {
  const top = manifests[manifests.length - 1] ?? manifests[0];
  for (const manifest of manifests)
    if (manifest !== top) await registry.putManifest(repository, manifest.digest, manifest);
  const { digest } = await registry.putManifest(repository, tags[0], top);
  return digest;
}

function refusesType(error: unknown): boolean {
  const { status, codes = [] } = RegistryProblem.of(error) ?? {};
  return status === 415 || (status === 400 && codes.includes("MANIFEST_INVALID"));
}
