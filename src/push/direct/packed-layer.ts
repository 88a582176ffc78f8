import { createHash, type Hash } from "node:crypto";
import { Readable } from "node:stream";
import { KpushError } from "../../errors.ts";
import type { ImageBlob } from "../../image/content.ts";
import type { StreamSource } from "../../registry/types.ts";
import type { Packer } from "./packer.ts";

/** Bytes of a plain layer that were read so far, where its packed bytes tell nothing of how much is left. */
type OnRead = (bytes: number) => void;

/**
 * A plain layer, packed while it is read. Nothing is kept: to go on at an offset it is packed again, which
 * gives the same bytes.
 */
export function packedLayer(blob: ImageBlob, packer: Packer, onRead: OnRead): StreamSource {
  let result: { digest: string; size: number } | undefined;
  let damaged = false;

  async function* pack(offset: number): AsyncGenerator<Buffer, void, undefined> {
    const plain = createHash(algorithmOf(blob.digest));
    const packed = createHash("sha256");
    let size = 0;
    for await (const bytes of packer.pack(hashed(blob, plain, onRead))) {
      packed.update(bytes);
      const wanted = bytes.subarray(Math.max(0, offset - size));
      size += bytes.length;
      if (wanted.length > 0) yield wanted;
    }
    damaged = `${algorithmOf(blob.digest)}:${plain.digest("hex")}` !== blob.digest;
    result = { digest: `sha256:${packed.digest("hex")}`, size };
  }

  return {
    open: (offset) => Readable.from(pack(offset), { objectMode: false }),
    result() {
      if (result && !damaged) return result;
      throw new KpushError(
        "ARCHIVE_INVALID",
        `the image is damaged: the content of ${blob.digest} is another`,
        { hint: "save or build the image again" },
      );
    },
  };
}

async function* hashed(
  { entry }: ImageBlob,
  hash: Hash,
  onRead: OnRead,
): AsyncGenerator<Buffer, void, undefined> {
  let read = 0;
  for await (const chunk of entry.open(0) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    read += chunk.length;
    onRead(read);
    yield chunk;
  }
}

function algorithmOf(digest: string): string {
  return digest.slice(0, digest.indexOf(":"));
}
