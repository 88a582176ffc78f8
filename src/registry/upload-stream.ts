import { Readable } from "node:stream";
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
import { finishSession } from "./upload.ts";
import type { Wire } from "./wire.ts";

/** Bytes that are read while the upload begins: what is no longer than that needs one round trip less. */
const shortest = 2 * 1024 * 1024;

/**
 * Uploads what has no digest before its end: POST, one PATCH of the whole, and the PUT that names the digest; what is
 * short, by one PUT in place of both. After a lost connection the content is made anew, and goes on from where the
 * registry stands.
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
  const starting = readStart(source);
  starting.catch(() => undefined); // awaited once there is an upload
  let whole: { digest: string; size: number } | undefined;
  let isTaken = false;
  try {
    return await uploadInSessions({
      ...{ wire, repository, onBytes },
      taken: async () => (whole && (await has(whole.digest)) ? whole : undefined),
      send: async (session) => {
        const begun = await starting;
        if (begun.isWhole) {
          whole = await resultOf(wire, session.location, source);
          const bytes = Buffer.concat(begun.start);
          const open = (offset: number) => Readable.from([bytes.subarray(offset)]);
          await finishSession(wire, session, { ...whole, open }, onBytes);
          return whole;
        }
        const goesOn = session.offset === 0 && !isTaken;
        isTaken = true; // what was sent is not kept: it is read once
        const open = () => Readable.from(all(begun), { objectMode: false });
        const location = await sendRest(wire, session, goesOn ? { open } : source, onBytes);
        whole = await resultOf(wire, location, source);
        await commit(wire, location, whole.digest);
        return whole;
      },
    });
  } finally {
    void starting.then(
      ({ rest }) => rest.destroy(),
      () => undefined,
    );
  }
}

/** A stream of which some was read. */
interface Begun {
  start: Buffer[];
  rest: Readable;
  /** Whether that was all of it. */
  isWhole: boolean;
}

async function readStart({ open }: StreamSource): Promise<Begun> {
  const rest = await open(0);
  rest.on("error", () => undefined); // nobody listens between its beginning and the rest: who reads on is told
  const start: Buffer[] = [];
  let size = 0;
  for await (const chunk of rest.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    start.push(chunk);
    size += chunk.length;
    if (size > shortest) break;
  }
  return { start, rest, isWhole: size <= shortest };
}

async function* all({ start, rest }: Begun): AsyncGenerator<Buffer, void, undefined> {
  for (let chunk; (chunk = start.shift());) yield chunk;
  yield* rest as AsyncIterable<Buffer>;
}

async function sendRest(
  wire: Wire,
  { location, offset }: Session,
  source: Pick<StreamSource, "open">,
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
