import { Readable } from "node:stream";
import { KpushError } from "../../errors.ts";
import type { ArchiveEntry } from "../../image/archive-index.ts";

/** Given up, the body can be read to its end by others. */
export interface BodyEntry extends ArchiveEntry {
  giveUp(): Promise<void>;
}

/**
 * The body of a request as a file that can be read once, from its beginning: an engine sends a layer, and
 * does not send it again.
 */
export function bodyEntry(body: Readable, size: number, digest: string): BodyEntry {
  const chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  const seen: Buffer[] = [];
  let opened = false;

  async function* all(): AsyncGenerator<Buffer, void, undefined> {
    yield* seen.splice(0);
    yield* chunks;
  }

  return {
    size,
    digest,
    async head(limit) {
      for (let read = lengthOf(seen); read < limit; read = lengthOf(seen)) {
        const next = await chunks.next();
        if (next.done === true) break;
        seen.push(next.value);
      }
      return Buffer.concat(seen).subarray(0, limit);
    },
    open(offset) {
      if (opened || offset > 0) throw sentOnce(digest);
      opened = true;
      return Readable.from(all(), { objectMode: false });
    },
    async giveUp() {
      await chunks.return?.();
    },
  };
}

function lengthOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

function sentOnce(digest: string): KpushError {
  const message = `the connection to the registry was lost in the middle of ${digest}`;
  return new KpushError("TUNNEL_FAILED", message, {
    hint: "push once more: what has arrived is not sent again",
  });
}
