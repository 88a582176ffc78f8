import type { ImageBlob, ImageContent } from "./content.ts";
import { stepsOfConfig, type LayerStep } from "./layer-steps.ts";
import { documentLimit, parseDocument, parseManifest, type Descriptor } from "./manifest.ts";

/**
 * The layers of all that would be pushed, lowest first, each once, with their bytes as they lie there and the
 * steps that made them. A config that cannot be read has no steps.
 */
export async function layersOfContent({
  manifests,
  blobs,
}: ImageContent): Promise<({ id: string } & LayerStep)[]> {
  const byDigest = new Map(blobs.map((blob) => [blob.digest, blob]));
  const found = new Map<string, { id: string } & LayerStep>();
  for (const { bytes, mediaType, digest } of manifests) {
    const parsed = parseManifest(bytes, mediaType, digest);
    if (parsed.kind === "index") continue;
    const steps = await stepsOf(byDigest.get(parsed.config.digest), parsed.layers);
    for (const [at, { digest: id, size }] of parsed.layers.entries()) {
      if (byDigest.get(id)?.kind !== "layer" || found.has(id)) continue;
      found.set(id, { id, bytes: size, step: steps[at] });
    }
  }
  return [...found.values()];
}

async function stepsOf(
  config: ImageBlob | undefined,
  layers: readonly Descriptor[],
): Promise<(string | undefined)[]> {
  if (!config || config.size > documentLimit) return [];
  try {
    const document = parseDocument(await config.entry.head(config.size), config.digest);
    return stepsOfConfig(document, layers.length);
  } catch {
    return [];
  }
}
