import { deflateRaw } from "node:zlib";
import type { ImageBlob } from "../../image/content.ts";

/** Bytes at the beginning of a layer that stand for the rest. */
const sample = 256 * 1024;
/** What the sample must shrink to, at most. */
const worthIt = 0.9;

/**
 * Whether packing a layer pays, by its first bytes: media, archives and model weights are compressed
 * already, and would cost time and memory for nothing. The answer depends on the content alone, so
 * that a layer has the same digest tomorrow.
 */
export async function isCompressible({ entry }: Pick<ImageBlob, "entry">): Promise<boolean> {
  const head = await entry.head(sample);
  const size = await new Promise<number>((resolve, reject) => {
    deflateRaw(head, { level: 1 }, (error, packed) => {
      if (error) reject(error);
      else resolve(packed.length);
    });
  });
  return size <= head.length * worthIt;
}
