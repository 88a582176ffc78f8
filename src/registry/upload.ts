import { refusal } from "./problem.ts";
import { retryLater } from "./retry-later.ts";
import type { BlobSource } from "./types.ts";
import {
  checkEcho,
  uploadInSessions,
  withDigest,
  wrongOffset,
  type Session,
} from "./upload-session.ts";
import type { Wire } from "./wire.ts";

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
  await uploadInSessions({
    ...{ wire, repository, onBytes },
    taken: async () => ((await has()) ? true : undefined),
    send: async (session) => {
      await finishSession(wire, session, blob, onBytes);
      return true;
    },
  });
}

/** Sends what is missing of a blob in one PUT, which ends the upload. */
export async function finishSession(
  wire: Wire,
  { location, offset }: Session,
  blob: BlobSource,
  onBytes: (sent: number) => void,
): Promise<void> {
  if (offset > blob.size) throw wrongOffset();
  const answer = await wire.send({
    method: "PUT",
    path: withDigest(location, blob.digest),
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
  checkEcho(answer, blob.digest);
}
