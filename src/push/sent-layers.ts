import type { LayerReport } from "../events.ts";
import { knownLayers, type KnownLayers } from "./direct/known-layers.ts";
import type { PushJob } from "./push-image.ts";
import { layersOf, type SourceLayer } from "./source-layers.ts";
import type { LayerEvent, Tally } from "./tally.ts";

/**
 * Begins to find out which step made which layer, while the image is being sent.
 *
 * @returns what became of each layer, given the digest that was pushed; never throws, as a push that
 *   succeeded must not fail for what is only told
 */
export function sentLayers(
  { source, target, options, session: { registry } }: PushJob,
  tally: Pick<Tally, "layers">,
): (digest: string) => Promise<LayerReport[]> {
  const listing = layersOf(source, options.platform).catch((): SourceLayer[] => []);
  const stored = async (digest: string): Promise<KnownLayers> => {
    const manifest = await registry.getManifest(target.repository, digest);
    return manifest ? await knownLayers(registry, target.repository, manifest) : new Map();
  };
  return async (digest) => {
    const layers = await listing;
    const told = [...tally.layers().values()];
    const find = (id: string) => told.find((event) => isMeant(event, id));
    // A containerd store tells of its layers by the digests that they have packed, which the registry knows.
    const isOpen = told.length > 0 && layers.some(({ id }) => !find(id));
    const packed = isOpen ? await stored(digest).catch((): KnownLayers => new Map()) : undefined;
    return layers.map((layer) =>
      report(layer, find(layer.id) ?? find(packed?.get(layer.id)?.digest ?? "")),
    );
  };
}

/** Engines tell of a digest its first 12 digits. */
function isMeant({ id }: LayerEvent, digest: string): boolean {
  const start = id.replace("sha256:", "");
  return start.length >= 12 && digest.startsWith(`sha256:${start}`);
}

function report(layer: SourceLayer, event: LayerEvent | undefined): LayerReport {
  if (event?.state !== "sent")
    return { ...layer, state: event?.state === "present" ? "present" : undefined };
  return { ...layer, state: "sent", bytes: event.sentBytes || layer.bytes };
}
