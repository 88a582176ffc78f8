import { refusal } from "./problem.ts";
import { retryLater } from "./retry-later.ts";
import type { StreamSource } from "./types.ts";
import {
  checkEcho,
  locationOf,
  uploadInSessions,
  withDigest,
  type Session,
} from "./upload-session.ts";
import type { Wire } from "./wire.ts";

/**
 * Uploads what has no digest before its end: POST, one PATCH of the whole, and the PUT that names the digest. After
 * a lost connection the content is made anew, and goes on from where the registry stands.
 *
 * @param has - whether the registry holds a blob: the answer to the PUT may be what was lost
 * @throws KpushError as the source's `result`, after which the registry forgets the upload
 */
export async function uploadStream(
  wire: Wire,
  repository: string,
  source: StreamSource,
  has: (digest: string) => Promise<boolean>,
  onBytes: (sent: number) => void,
): Promise<{ digest: string; size: number }> {
  let whole: { digest: string; size: number } | undefined;
  return uploadInSessions({
    ...{ wire, repository, onBytes },
    taken: async () => (whole && (await has(whole.digest)) ? whole : undefined),
    send: async (session) => {
      const location = await sendRest(wire, session, source, onBytes);
      whole = await resultOf(wire, location, source);
      await commit(wire, location, whole.digest);
      return whole;
    },
  });
}

async function sendRest(
  wire: Wire,
  { location, offset }: Session,
  source: StreamSource,
  onBytes: (sent: number) => void,
): Promise<string> {
  const answer = await wire.send({
    method: "PATCH",
    path: location,
    headers: { "content-type": "application/octet-stream" },
    body: {
      size: undefined,
      open: () => source.open(offset),
      onSent: (sent) => onBytes(offset + sent),
    },
  });
  if (answer.status !== 202) throw retryLater(answer) ?? refusal(answer, "take a layer");
  return locationOf(answer, location);
}

/** What must not be kept is called off, and not committed under whatever digest it has. */
async function resultOf(wire: Wire, location: string, source: StreamSource) {
  try {
    return source.result();
  } catch (error) {
    await wire.send({ method: "DELETE", path: location }).catch(() => undefined);
    throw error;
  }
}

async function commit(wire: Wire, location: string, digest: string): Promise<void> {
  const answer = await wire.send({
    method: "PUT",
    path: withDigest(location, digest),
    headers: { "content-type": "application/octet-stream" },
  });
  if (answer.status !== 201) throw retryLater(answer) ?? refusal(answer, `take ${digest}`);
  checkEcho(answer, digest);
}
