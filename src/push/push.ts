import { everyTag } from "./all-tags.ts";
import { openDeadline } from "./deadline.ts";
import { openDestinations } from "./destinations.ts";
import { pushImage, type PushJob } from "./push-image.ts";
import { parseRequests } from "./request.ts";
import { allEnded, pushTo } from "./push-to.ts";
import { openSources, type Source } from "./sources.ts";
import type { Context, FailedOutcome, ImageOutcome, PushOptions } from "./types.ts";

/**
 * Pushes images into the cluster's registry, or into those of several clusters. Clusters and engine are
 * asked at the same time; all images are tried, over one tunnel to each, and the outcomes stand in the
 * order of `options.images`, for each context in turn.
 *
 * @throws KpushError what concerns every image: a wrong option, no engine, no cluster, no registry.
 *   What concerns one image, or one of several contexts, is in its outcome. When `context.signal` is
 *   aborted, its reason.
 */
export async function push(options: PushOptions, context: Context): Promise<ImageOutcome[]> {
  return eachImage(options, context, pushImage);
}

/** {@link push}, with something else to be done with each image. */
export async function eachImage<Outcome extends object>(
  options: PushOptions,
  context: Context,
  run: (job: PushJob) => Promise<Outcome>,
): Promise<(Outcome | FailedOutcome)[]> {
  const started = performance.now();
  const asked = parseRequests(options, context.surroundings);
  using deadline = openDeadline(context.signal, options.timeout);
  const inside: Context = { ...context, signal: deadline.signal };
  const destinations = openDestinations(options, inside);
  try {
    const requests = options.allTags ? await everyTag(asked, options, inside) : asked;
    await using sources = await openSources(options, requests, inside, destinations.reached);
    await using shared = destinations.all.length > 1 ? await share(sources.all, inside) : undefined;
    const work = {
      ...{ sources: shared?.all ?? sources.all, options, started, run },
      ...{ lost: destinations.lost, turns: new Map<string, Promise<unknown>>() },
    };
    const outcomes = (await allEnded(destinations.all.map((one) => pushTo(one, work)))).flat();
    if (outcomes.every((outcome) => "error" in outcome)) deadline.signal.throwIfAborted();
    return outcomes;
  } catch (error) {
    deadline.signal.throwIfAborted();
    throw error;
  } finally {
    deadline.stop();
    await destinations[Symbol.asyncDispose]();
  }
}

async function share(sources: readonly Source[], context: Context) {
  const { shareExports } = await import("./share-exports.ts");
  return shareExports(sources, context);
}
