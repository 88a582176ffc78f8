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
  return persist(wire.timings, wire.signal, async (attempts) => {
    if (attempts.number > 0) {
      const done = await taken();
      if (done !== undefined) return done;
      const known: Session | undefined = session && (await findSession(wire, session));
      if (known && known.offset > (session?.offset ?? 0)) attempts.progressed();
      session = known;
      onBytes(known?.offset ?? 0);
    }
    session ??= await beginSession(wire, repository);
    try {
      return await send(session);
    } catch (error) {
      if (!isLost(error, session)) throw error;
      session = undefined;
      throw new Transient(error);
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
  // Distribution says 0-0 for nothing at all as well as for one byte.
  if (last === undefined || last === "0") return undefined;
  return { location: locationOf(answer, location), offset: Number(last) + 1 };
}

/** Where a PUT ends the upload as the blob of this digest. */
export function withDigest(location: string, digest: string): string {
  return `${location}${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(digest)}`;
}

/** Whether an upload failed in a way that a new one may not: the registry lost it, or put pieces together wrongly. */
function isLost(error: unknown, { offset }: Session): boolean {
  const { codes = [], status } = RegistryProblem.of(error) ?? {};
  // What was put together from pieces may be wrong where the whole is right.
  if (offset > 0 && codes.includes("DIGEST_INVALID")) return true;
  return status === 404 || status === 416 || codes.includes("BLOB_UPLOAD_INVALID");
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
 * Where to go on. Only path and query are used, whatever host it names: behind a tunnel the registry
 * cannot know its own address, and nothing may go to another one.
 */
export function locationOf(answer: Answer, path: string): string {
  const { location } = answer.headers;
  const base = `http://registry${path}`;
  if (location && URL.canParse(location, base)) {
    const { pathname, search } = new URL(location, base);
    if (pathname.startsWith("/v2/")) return pathname + search;
  }
  throw new KpushError(
    "REGISTRY_UNHEALTHY",
    "the registry does not say where the upload goes (Location)",
    { hint: whichPod },
  );
}
