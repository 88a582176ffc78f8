import type { IncomingMessage } from "node:http";
import { Transform, type Readable } from "node:stream";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { readFailure, type Transport } from "./transport.ts";

/** A tar archive ends with two blocks of zeros. */
const endLength = 1024;
/** Room for an engine's error after the last byte of an archive. */
const tailLength = 4 * 1024;

/**
 * The archive in an engine's answer. A stream that ends early or with an error in place of the
 * archive's end fails: under status 200 dockerd can only append `{"errorDetail":…}` to what it sent.
 */
export function exportStream(
  { endpoint }: Pick<Transport, "endpoint">,
  answer: IncomingMessage,
  signal: AbortSignal,
): Readable {
  let tail: Buffer = Buffer.alloc(0);
  const checked = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      tail =
        chunk.length >= tailLength
          ? chunk.subarray(-tailLength)
          : Buffer.concat([tail.subarray(-(tailLength - chunk.length)), chunk]);
      done(null, chunk);
    },
    flush: (done) => done(endOf(tail)),
  });
  answer.on("error", (error) => checked.destroy(readFailure(endpoint, error, signal)));
  // Whoever stops reading ends the engine's work.
  checked.on("close", () => answer.destroy());
  return answer.pipe(checked);
}

function endOf(tail: Buffer): KpushError | null {
  if (tail.length >= endLength && tail.subarray(-endLength).every((byte) => byte === 0))
    return null;
  const words = /\{"errorDetail":\{[^\n]*"message":"((?:[^"\\]|\\.)*)"/.exec(
    tail.toString("latin1"),
  );
  return new KpushError(
    "ENGINE_FAILED",
    words?.[1] === undefined
      ? "the engine's archive of the image was cut short"
      : `the engine could not save the image: ${plain(words[1])}`,
    { hint: "look at the engine's log, and push again" },
  );
}
