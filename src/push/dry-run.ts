import type { LayerReport, PlannedImage } from "../events.ts";
import { chooseRoute, openKnowledge, type Knowledge } from "./choose-route.ts";
import { Present } from "./direct/present.ts";
import { checkPlatform } from "./platform-check.ts";
import type { PushJob } from "./push-image.ts";
import { eachImage } from "./push.ts";
import { layersOf, type SourceLayer } from "./source-layers.ts";
import type { Context, FailedOutcome, PushOptions } from "./types.ts";

/**
 * What `push` would do with the same options, layer by layer. Only asks: the engine gets no tag, and the
 * registry nothing but GET and HEAD.
 *
 * @throws KpushError as `push`
 */
export async function dryRun(
  options: PushOptions,
  context: Context,
): Promise<(PlannedImage | FailedOutcome)[]> {
  return eachImage(options, context, planImage);
}

async function planImage(job: PushJob): Promise<PlannedImage> {
  const { source, target, options, session, context } = job;
  const { image } = source.request;
  const listing = layersOf(source, options.platform);
  listing.catch(() => undefined); // awaited below

  const [tag] = target.tags;
  const asked = performance.now();
  const remote = await session.registry.getManifest(target.repository, tag);
  const knowledge = openKnowledge(job, remote, performance.now() - asked);
  const { route, reason } = await chooseRoute(job, remote, knowledge);
  if (route !== "none") await checkPlatform(job);
  context.report({ type: "plan", image, route, reason });
  const layers = await listing;
  return {
    image,
    target: `${target.pullAddress}/${target.repository}:${tag}`,
    tags: [...target.tags],
    ...{ route, reason },
    layers:
      route === "none"
        ? layers.map((layer) => ({ ...layer, state: "present" }))
        : await look(job, layers, knowledge),
  };
}

/** Asks for each layer as the direct route does, but looks where that would mount. */
async function look(
  { session: { registry }, target: { repository } }: PushJob,
  layers: readonly SourceLayer[],
  knowledge: Knowledge,
): Promise<LayerReport[]> {
  const present = new Present({
    registry: {
      hasBlob: (place, digest) => registry.hasBlob(place, digest),
      mountBlob: (_, digest, from) => registry.hasBlob(from, digest),
    },
    ...{ repository, cache: knowledge.cache, known: await knowledge.known() },
  });
  return Promise.all(
    layers.map(async (layer): Promise<LayerReport> => {
      const found = await present.find(layer.id);
      return { ...layer, state: found ? "present" : "new" };
    }),
  );
}
