import { everyTag } from "./all-tags.ts";
import type { OpenArchive } from "./archive/source.ts";
import { openDeadline } from "./deadline.ts";
import { openListening } from "./listening.ts";
import { pushImage, type PushJob } from "./push-image.ts";
import { claimTargets, parseRequests, type Claim } from "./request.ts";
import { openSession } from "./session.ts";
import { openSources } from "./sources.ts";
import type { Context, FailedOutcome, ImageOutcome, PushOptions } from "./types.ts";

/**
 * Pushes images into the cluster's registry. The cluster and the engine are asked at the same time;
 * all images are tried, over one tunnel, and the outcomes stand in the order of `options.images`.
 *
 * @throws KpushError what concerns every image: a wrong option, no engine, no cluster, no registry.
 *   What concerns one image is in its outcome. When `context.signal` is aborted, its reason.
 */
export async function push(options: PushOptions, context: Context): Promise<ImageOutcome[]> {
  return eachImage(options, context, pushImage);
}

/** {@link push}, with something else to be done with each image. */
export async function eachImage<Outcome>(
  options: PushOptions,
  context: Context,
  run: (job: PushJob) => Promise<Outcome>,
): Promise<(Outcome | FailedOutcome)[]> {
  const started = performance.now();
  const asked = parseRequests(options, context.surroundings);
  using deadline = openDeadline(context.signal, options.timeout);
  const inside: Context = { ...context, signal: deadline.signal };
  const opening = openSession({ ...options, asksNodes: !options.force }, inside);
  try {
    // An image that is not there, or a dead engine, must not wait for a cluster that may never answer.
    opening.catch(() => undefined);
    const requests = options.allTags ? await everyTag(asked, options, inside) : asked;
    await using sources = await openSources(options, requests, inside, opening);
    const missing = sources.all.flatMap((source) => (source.kind === "missing" ? [source] : []));
    if (missing.length === sources.all.length) {
      return missing.map(({ request, error }) => fail(request.image, error, inside));
    }
    const session = await opening;
    await using listening = openListening(session, inside);
    const claims = claimTargets(sources.all, options, session.pod.pullAddress);
    const runOne = async (claim: Claim): Promise<Outcome | FailedOutcome> => {
      if (claim.kind === "refused") return fail(claim.image, claim.error, inside);
      const { source, target } = claim;
      const job = { source, target, options, session, listening, started, context: inside };
      try {
        return await run(job);
      } catch (error) {
        inside.signal.throwIfAborted();
        return fail(source.request.image, error, inside);
      }
    };
    return await Promise.all(inLine(claims, runOne));
  } catch (error) {
    deadline.signal.throwIfAborted();
    throw error;
  } finally {
    deadline.stop();
    await opening.then((session) => session[Symbol.asyncDispose]()).catch(() => undefined);
  }
}

/**
 * Begins all at once, but those of one archive one after another: what they have in common, be it all, is
 * then there for the next.
 */
function inLine<T>(claims: readonly Claim[], run: (claim: Claim) => Promise<T>): Promise<T>[] {
  const lines = new Map<OpenArchive, Promise<unknown>>();
  return claims.map((claim) => {
    if (claim.kind === "refused" || claim.source.kind !== "archive") return run(claim);
    const { file } = claim.source;
    const running = (lines.get(file) ?? Promise.resolve()).then(() => run(claim));
    lines.set(file, running);
    return running;
  });
}

function fail(image: string, error: unknown, { report }: Context): FailedOutcome {
  report({ type: "failed", image, error });
  return { image, error };
}
