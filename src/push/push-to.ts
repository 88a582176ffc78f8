import { KpushError } from "../errors.ts";
import type { OpenArchive } from "./archive/source.ts";
import { causeOf } from "./deadline.ts";
import type { Destination } from "./destinations.ts";
import { openListening } from "./listening.ts";
import type { PushJob } from "./push-image.ts";
import { claimTargets, type Claim } from "./request.ts";
import type { Session } from "./session.ts";
import type { Source } from "./sources.ts";
import type { FailedOutcome, PushOptions } from "./types.ts";

/** What is to be done, the same for each destination. */
export interface Work<Outcome> {
  sources: readonly Source[];
  options: PushOptions;
  /** When it all began, by `performance.now()`. */
  started: number;
  /** What kept all destinations from being reached; undefined until then. */
  lost: unknown;
  /** What was last begun at each registry, by its pod's UID. */
  turns: Map<string, Promise<unknown>>;
  run: (job: PushJob) => Promise<Outcome>;
}

/**
 * Does the work at one destination; the outcomes stand in the order of the sources.
 *
 * @throws KpushError what concerns every image, where it is the only destination; else all outcomes have
 *   it. When the signal is aborted, its reason, but for a time limit: what was pushed until then is told.
 */
export async function pushTo<Outcome extends object>(
  destination: Destination,
  work: Work<Outcome>,
): Promise<(Outcome | FailedOutcome)[]> {
  const { name, context, opening } = destination;
  const fail = failer(destination);
  const errors = work.sources.flatMap((one) => (one.kind === "missing" ? [one.error] : []));
  // What was given up as nobody would take it has no reason of its own.
  const isLost = name !== undefined && errors.some((error) => error === work.lost);
  if (errors.length === work.sources.length && !isLost)
    return work.sources.map(({ request }, at) => fail(request.image, errors[at]));
  try {
    const session = await opening;
    const { uid } = session.pod;
    // By another context's way to the same registry nothing has to be sent twice.
    const turn = (work.turns.get(uid) ?? Promise.resolve()).then(() =>
      pushInto(session, destination, work),
    );
    work.turns.set(
      uid,
      turn.catch(() => undefined),
    );
    return await turn;
  } catch (error) {
    const cause = causeOf(error, context.signal);
    if (name === undefined) throw cause;
    return work.sources.map(({ request }) => fail(request.image, cause));
  }
}

async function pushInto<Outcome extends object>(
  session: Session,
  destination: Destination,
  { sources, options, started, run }: Work<Outcome>,
): Promise<(Outcome | FailedOutcome)[]> {
  const { name, context } = destination;
  const fail = failer(destination);
  await using listening = openListening(session, context);
  const claims = claimTargets(sources, options, session.pod.pullAddress);
  const runOne = async (claim: Claim): Promise<Outcome | FailedOutcome> => {
    if (claim.kind === "refused") return fail(claim.image, claim.error);
    const { source, target } = claim;
    try {
      const outcome = await run({ source, target, options, session, listening, started, context });
      return name === undefined ? outcome : { ...outcome, context: name };
    } catch (error) {
      return fail(source.request.image, lostOnTheWay(causeOf(error, context.signal)));
    }
  };
  return await allEnded(inLine(claims, runOne));
}

/**
 * Waits for all, even where one fails early: what an interrupted push has to take away, it still can.
 *
 * @throws what the first of them that failed did
 */
export async function allEnded<T>(running: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(running);
  return Promise.all(running);
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

/**
 * A cluster that answered until now and no longer does has lost a push that was under way: scripts tell it by
 * its exit code from one that was never there.
 */
function lostOnTheWay(error: unknown): unknown {
  const lost = error instanceof KpushError && error.code === "CLUSTER_UNREACHABLE";
  return lost ? error.as("TUNNEL_FAILED") : error;
}

function failer({ name, context }: Destination) {
  return (image: string, error: unknown): FailedOutcome => {
    context.report({ type: "failed", image, error });
    return { image, ...(name !== undefined && { context: name }), error };
  };
}
