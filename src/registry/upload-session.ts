import { KpushError } from "../errors.ts";
import { refusal, RegistryProblem, whichPod, type Answer } from "./problem.ts";
import { retryLater } from "./retry-later.ts";
import { persist, Transient } from "./transient.ts";
import type { Wire } from "./wire.ts";

/** An upload that the registry has begun to take. */
export interface Session {
  /** Path and query to go on at; valid once. */
  location: string;
  /** Bytes that the registry has. */
  offset: number;
}

/** One upload, whatever is sent in it. */
interface Upload<T> {
  wire: Wire;
  repository: string;
  /** What has come of it, where the registry has the blob already: the last answer may be what was lost. */
  taken: () => Promise<T | undefined>;
  /** Sends what the registry does not have yet, and ends the upload. */
  send: (session: Session) => Promise<T>;
  onBytes: (sent: number) => void;
}

/**
 * Sends until it is taken: after a lost connection it goes on where the registry stands, and anew where
 * the registry has lost the upload.
 */
export async function uploadInSessions<T>({
  wire,
  repository,
  taken,
  send,
  onBytes,
}: Upload<T>): Promise<T> {
  let session: Session | undefined;
  /** Bytes that the registry had at most: who comes no further than before makes no progress. */
  let furthest = 0;
  return persist(wire.timings, wire.signal, async (attempts) => {
    if (attempts.number > 0) {
      const done = await taken();
      if (done !== undefined) return done;
      const known: Session | undefined = session && (await findSession(wire, session));
      if (known && known.offset > furthest) {
        furthest = known.offset;
        attempts.progressed();
      }
      session = known;
      onBytes(known?.offset ?? 0);
    }
    session ??= await beginSession(wire, repository);
    try {
      return await send(session);
    } catch (error) {
      const loss = lossOf(error, session);
      if (loss) session = undefined;
      throw loss ?? error;
    }
  });
}

/** Begins an upload: one POST. */
async function beginSession(wire: Wire, repository: string): Promise<Session> {
  const path = `/v2/${repository}/blobs/uploads/`;
  const answer = await wire.send({ method: "POST", path });
  if (answer.status !== 202) throw retryLater(answer) ?? refusal(answer, "begin an upload");
  return { location: locationOf(answer, path), offset: 0 };
}

/**
 * Asks where an upload stands.
 *
 * @returns undefined where the registry no longer knows the upload, or does not say where it stands
 */
async function findSession(wire: Wire, { location }: Session): Promise<Session | undefined> {
  const answer = await wire.send({ method: "GET", path: location });
  if (answer.status !== 204) return undefined;
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.headers.range ?? "")?.[1];
  const next = findLocation(answer, location);
  // Distribution says 0-0 for nothing at all as well as for one byte.
  if (last === undefined || last === "0" || next === undefined) return undefined;
  return { location: next, offset: Number(last) + 1 };
}

/** Where a PUT ends the upload as the blob of this digest. */
export function withDigest(location: string, digest: string): string {
  return `${location}${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(digest)}`;
}

/** For an upload of which the registry said wrongly where it stands; a new one may fare better. */
export function wrongOffset(cause?: unknown): Transient {
  const message = "the registry does not go on with an upload where it said that it stood";
  const hint = "see its log: kubectl logs, for the pod named above";
  return new WrongOffset(new KpushError("REGISTRY_UNHEALTHY", message, { hint, cause }));
}

class WrongOffset extends Transient {}

/** What an upload failed with, where a new one may not: the registry lost it, or put pieces together wrongly. */
function lossOf(error: unknown, { offset }: Session): Transient | undefined {
  if (error instanceof WrongOffset) return error;
  const { codes = [], status } = RegistryProblem.of(error) ?? {};
  const unfit = status === 416 || codes.includes("BLOB_UPLOAD_INVALID");
  // What was put together from pieces may be wrong where the whole is right.
  if (offset > 0 && (unfit || codes.includes("DIGEST_INVALID"))) return wrongOffset(error);
  return unfit || status === 404 ? new Transient(error) : undefined;
}

/** @throws KpushError `VERIFY_FAILED` where the registry took another blob */
export function checkEcho({ headers }: Answer, digest: string): void {
  const echo = headers["docker-content-digest"];
  if (echo === undefined || echo === digest) return;
  throw new KpushError(
    "VERIFY_FAILED",
    `the registry says that it took another blob than ${digest}`,
    { hint: "push once more; if it stays so, see the registry's log" },
  );
}

/**
 * Where to go on, if the answer says it. Only path and query are used, whatever host it names: behind a
 * tunnel the registry cannot know its own address, and nothing may go to another one.
 */
export function findLocation({ headers }: Answer, path: string): string | undefined {
  const { location } = headers;
  const base = `http://registry${path}`;
  if (!location || !URL.canParse(location, base)) return undefined;
  const { pathname, search } = new URL(location, base);
  return pathname.startsWith("/v2/") ? pathname + search : undefined;
}

/**
 * {@link findLocation} where an upload cannot go on without.
 *
 * @throws KpushError `REGISTRY_UNHEALTHY`
 */
export function locationOf(answer: Answer, path: string): string {
  const location = findLocation(answer, path);
  if (location !== undefined) return location;
  throw new KpushError(
    "REGISTRY_UNHEALTHY",
    "the registry does not say where the upload goes (Location)",
    { hint: whichPod },
  );
}
