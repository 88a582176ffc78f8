import type { ClientRequest, OutgoingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { KpushError } from "../errors.ts";

/** A large body. */
export interface BodyStream {
  /** Bytes; undefined where only the end will tell. */
  size: number | undefined;
  open: () => Readable | Promise<Readable>;
  /** Called with the bytes that have left, each time some have. */
  onSent: (sent: number) => void;
}

/** What a request says of its body's length. */
export function lengthHeader(body: Buffer | BodyStream | undefined): OutgoingHttpHeaders {
  const length = body === undefined ? 0 : Buffer.isBuffer(body) ? body.length : body.size;
  return length === undefined ? { "transfer-encoding": "chunked" } : { "content-length": length };
}

/**
 * Writes a body as fast as the socket takes it.
 *
 * @param stopped - settles when the request was answered or has failed
 * @param isAnswered - whether it was answered
 * @returns false where the rest is not wanted: the answer came first, or the request failed
 * @throws what the body throws; KpushError `ARCHIVE_INVALID` where it is longer or shorter than it says
 */
export async function sendBody(
  request: ClientRequest,
  { size, open, onSent }: BodyStream,
  stopped: Promise<void>,
  isAnswered: () => boolean,
): Promise<boolean> {
  const body = await open();
  const isOver = () => isAnswered() || request.destroyed;
  void stopped.then(() => body.destroy());
  let given = 0;
  let sent = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      given += chunk.length;
      if (isOver() || given > (size ?? Infinity)) break;
      const ready = request.write(chunk, (error) => {
        if (error) return;
        sent += chunk.length;
        onSent(sent);
      });
      if (!ready)
        await Promise.race([stopped, new Promise((resolve) => request.once("drain", resolve))]);
    }
  } catch (error) {
    if (isOver()) return false;
    throw error;
  }
  if (isOver()) return false;
  if (size === undefined || given === size) return true;
  throw new KpushError(
    "ARCHIVE_INVALID",
    `a layer has other than the ${size} bytes that it should have`,
    {
      hint: "save or build the image again; was the file changed meanwhile?",
    },
  );
}
