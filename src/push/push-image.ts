import { KpushError, messageOf } from "../errors.ts";
import type { PushedImage } from "../events.ts";
import { compressionWords, parseCompression } from "../image/compression.ts";
import { temporaryParent } from "./archive/temp.ts";
import { chooseRoute, openKnowledge, unreachable, type Knowledge } from "./choose-route.ts";
import { daemonRoute, saysLost, saysTooLittle } from "./daemon-route.ts";
import { directRoute } from "./direct/route.ts";
import type { Listening } from "./listening.ts";
import type { Plan } from "./plan.ts";
import type { Session } from "./session.ts";
import type { Source } from "./sources.ts";
import { openTally } from "./tally.ts";
import type { Context, PushOptions, Target } from "./types.ts";
import { verify } from "./verify.ts";

/** All that the push of one image works with. */
export interface PushJob {
  source: Exclude<Source, { kind: "missing" }>;
  target: Target;
  options: PushOptions;
  session: Session;
  listening: Listening;
  /** When the push as a whole began, by `performance.now()`. */
  started: number;
  context: Context;
}

/**
 * Pushes one image: compares, chooses the route, sends, verifies. If the registry pod was replaced and
 * the new one has lost what was sent, it starts over, once.
 *
 * @throws KpushError
 */
export async function pushImage(job: PushJob): Promise<PushedImage> {
  const { source, target, options, session, started, context } = job;
  const { image } = source.request;
  const tally = openTally(context.report);
  const inside: PushJob = { ...job, context: { ...context, report: tally.report } };

  const asked = performance.now();
  const remote = await session.registry.getManifest(target.repository, target.tags[0]);
  const knowledge = openKnowledge(inside, remote, performance.now() - asked);
  let chosen = await chooseRoute(inside, remote, knowledge);
  if (chosen.route !== "none") await (await import("./platform-check.ts")).checkPlatform(job);
  context.report({ type: "plan", image, ...chosen });

  let digest = remote?.digest ?? "";
  const tellLayers =
    options.tellLayers && chosen.route !== "none"
      ? (await import("./sent-layers.ts")).sentLayers(job, tally)
      : undefined;
  if (chosen.route !== "none") ({ digest, plan: chosen } = await send(inside, chosen, knowledge));
  await verify({
    registry: session.registry,
    target,
    digest,
    held: chosen.route === "none" ? remote : undefined,
    report: context.report,
  });

  if (tellLayers) context.report({ type: "layers", image, layers: await tellLayers(digest) });

  const [tag] = target.tags;
  const done: PushedImage = {
    image,
    pullRef: `${target.pullAddress}/${target.repository}:${tag}@${digest}`,
    digest,
    tags: [...target.tags],
    route: chosen.route,
    ...tally.totals(),
    milliseconds: Math.round(performance.now() - started),
  };
  context.report({ type: "done", image: done });
  return done;
}

async function send(
  job: PushJob,
  chosen: Plan,
  knowledge: Knowledge,
): Promise<{ digest: string; plan: Plan }> {
  const { session, context, source, listening } = job;
  const generation = session.generation;
  try {
    return { digest: await sendOnce(job, chosen, knowledge), plan: chosen };
  } catch (error) {
    context.signal.throwIfAborted();
    // What broke the tunnel may have taken the pod: only the next connection tells. The error that
    // counts stays the first one.
    if (isLoss(error)) await session.registry.ping().catch(() => undefined);
    const missed =
      source.kind === "engine" &&
      chosen.route === "daemon" &&
      (await listening.wasMissed(source.engine));
    const next = missed ? unreachable : remedy(error, chosen, session.generation !== generation);
    if (!next) throw error;
    context.report({ type: "restart", image: source.request.image, reason: next.reason });
    return { digest: await sendOnce(job, next, knowledge), plan: next };
  }
}

/** Whether the way to the registry broke, and not what was sent on it. */
function isLoss(error: unknown): boolean {
  return (
    error instanceof KpushError &&
    ["POD_GONE", "TUNNEL_FAILED", "REGISTRY_REFUSED"].includes(error.code)
  );
}

/** What a failed push may be tried again with; undefined where it would fail the same way. */
function remedy(error: unknown, chosen: Plan, replaced: boolean): Plan | undefined {
  if (replaced)
    return {
      ...chosen,
      reason: "the registry pod was replaced, and the new one lacks what was sent",
    };
  // kpush's own uploads go on after a lost connection; containerd-store engines give up.
  if (chosen.route !== "daemon") return undefined;
  if (isLoss(error) || saysLost(error)) return { ...chosen, reason: "the connection was lost" };
  const reason = avoidable(error);
  return reason === undefined ? undefined : { route: "direct", reason };
}

/** What failed an engine's push and would not fail kpush's own. */
function avoidable(error: unknown): string | undefined {
  const words = messageOf(error);
  // https://github.com/moby/moby/issues/53293: the engine takes a blob for pushed that it never sent.
  if (/blob unknown to registry/i.test(words)) return "the engine left out a layer";
  // Registries that take OCI's types alone (zot, unless told otherwise) refuse Docker's, which kpush can rewrite.
  if (/manifest invalid/i.test(words)) return "the registry refuses the engine's manifest";
  // A full disk, for one, is hidden behind the engine's own words.
  if (saysTooLittle(error)) return "the engine does not say why its push failed";
  return undefined;
}

async function sendOnce(
  job: PushJob,
  { route, packs }: Plan,
  knowledge: Knowledge,
): Promise<string> {
  const { source, target, options, session, listening, context } = job;
  const { report, signal } = context;
  const { image } = source.request;
  session.tunnel.keepSpares(1);
  session.takeError();
  try {
    if (route === "daemon" && source.kind === "engine") {
      const { listener } = await listening.reach(source.engine);
      if (packs) {
        const packing = { ...job, compression: compressionOf(options), link: packs };
        const { packingRoute } = await import("./facade/packing-route.ts");
        return (await packingRoute(packing, source, listener, knowledge)).digest;
      }
      const { digest } = await daemonRoute({
        image,
        local: source.local,
        target,
        engine: source.engine,
        listener,
        platform: options.platform,
        because: () => session.takeError(),
        context,
      });
      return digest;
    }
    const [known, roundTrip] = await Promise.all([knowledge.known(), knowledge.roundTrip()]);
    const { digest } = await directRoute({
      source,
      target,
      ...{ registry: session.registry, uploader: session.uploader },
      platform: options.platform,
      report,
      signal,
      directory: temporaryParent(context.surroundings.env),
      compression: compressionOf(options),
      ...{ known, roundTrip, cache: knowledge.cache },
    });
    return digest;
  } finally {
    session.tunnel.keepSpares(0);
  }
}

function compressionOf({ compression = "auto" }: PushOptions) {
  const parsed = parseCompression(compression);
  if (parsed) return parsed;
  throw new KpushError("USAGE", `compression must be ${compressionWords}`, {
    hint: "kpush push --help",
  });
}
