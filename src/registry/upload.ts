import { KpushError } from "../errors.ts";
import { refusal, RegistryProblem, whichPod, type Answer } from "./problem.ts";
import { persist, Transient } from "./transient.ts";
import type { BlobSource } from "./types.ts";
import { retryLater } from "./retry-later.ts";
import type { Wire } from "./wire.ts";

/** An upload that the registry has begun to take. */
interface Session {
  /** Path and query to go on at; valid once. */
  location: string;
  /** Bytes that the registry has. */
  offset: number;
}

/**
 * Uploads one blob in two round trips: POST, and one PUT of the whole. After a lost connection it asks
 * for what has arrived and goes on from there. (distribution 3 keeps what came before the cut; 2.8 forgets the upload, which
 * then starts again.)
 *
 * @param has - whether the registry holds the blob: the answer to the PUT may be what was lost
 */
export async function uploadBlob(
  wire: Wire,
  repository: string,
  blob: BlobSource,
  has: () => Promise<boolean>,
  onBytes: (sent: number) => void,
): Promise<void> {
  let session: Session | undefined;
  await persist(wire.timings, wire.signal, async (attempts) => {
    if (attempts.number > 0) {
      if (await has()) return;
      const known: Session | undefined = session && (await findSession(wire, session));
      if (known && known.offset > (session?.offset ?? 0)) attempts.progressed();
      session = known;
      onBytes(known?.offset ?? 0);
    }
    session ??= await beginSession(wire, repository);
    try {
      await finishSession(wire, session, blob, onBytes);
    } catch (error) {
      // What was put together from pieces may be wrong where the whole is right.
      const { codes = [], status } = RegistryProblem.of(error) ?? {};
      const broken = session.offset > 0 && codes.includes("DIGEST_INVALID");
      const lost = status === 404 || status === 416 || codes.includes("BLOB_UPLOAD_INVALID");
      if (!broken && !lost) throw error;
      session = undefined;
      throw new Transient(error);
    }
  });
}

async function beginSession(wire: Wire, repository: string): Promise<Session> {
  const path = `/v2/${repository}/blobs/uploads/`;
  const answer = await wire.send({ method: "POST", path });
  if (answer.status !== 202) throw retryLater(answer) ?? refusal(answer, "begin an upload");
  return { location: locationOf(answer, path), offset: 0 };
}

/** @returns undefined where the registry no longer knows the upload, or does not say where it stands */
async function findSession(wire: Wire, { location }: Session): Promise<Session | undefined> {
  const answer = await wire.send({ method: "GET", path: location });
  if (answer.status !== 204) return undefined;
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.headers.range ?? "")?.[1];
  // Distribution says 0-0 for nothing at all as well as for one byte.
  if (last === undefined || last === "0") return undefined;
  return { location: locationOf(answer, location), offset: Number(last) + 1 };
}

async function finishSession(
  wire: Wire,
  { location, offset }: Session,
  blob: BlobSource,
  onBytes: (sent: number) => void,
): Promise<void> {
  if (offset > blob.size)
    throw new Transient(new Error("the registry has more bytes than the blob"));
  const answer = await wire.send({
    method: "PUT",
    path: `${location}${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(blob.digest)}`,
    headers: {
      "content-type": "application/octet-stream",
      ...(offset > 0 && offset < blob.size && { "content-range": `${offset}-${blob.size - 1}` }),
    },
    body: {
      size: blob.size - offset,
      open: () => blob.open(offset),
      onSent: (sent) => onBytes(offset + sent),
    },
  });
  if (answer.status !== 201) throw retryLater(answer) ?? refusal(answer, `take ${blob.digest}`);
  const echo = answer.headers["docker-content-digest"];
  if (echo !== undefined && echo !== blob.digest) {
    throw new KpushError(
      "VERIFY_FAILED",
      `the registry says that it took another blob than ${blob.digest}`,
      {
        hint: "push once more; if it stays so, see the registry's log",
      },
    );
  }
}

/**
 * Where to go on. Only path and query are used, whatever host it names: behind a tunnel the registry
 * cannot know its own address, and nothing may go to another one.
 */
function locationOf(answer: Answer, path: string): string {
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
