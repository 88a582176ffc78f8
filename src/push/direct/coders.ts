import * as zlib from "node:zlib";
import type { BlockCoder } from "./blocks.ts";

const KiB = 1024;
/** Of the tables: the largest are quicker by a tenth, for 128 KiB more (M). */
const memLevel = 9;

/**
 * How far deflate looks back, as a power of two. The quickest level is there for speed: with tables that stay in a
 * core's own cache it is quicker by a sixth, and packs by a twentieth less (M).
 */
const windowBitsOf = (level: number): number => (level === 1 ? 13 : 15);

/** Packs one block as raw deflate (RFC 1951) that ends on a byte and is not the last. */
export type Deflate = (bytes: Buffer) => Promise<Buffer[]>;

/**
 * Blocks that are packed at once have a stream each, which serve again: a new one for each block is half a megabyte
 * of garbage. A full flush has a stream forget the block before: the bytes are those of a new stream. At the usual level that
 * takes a tenth less time than to look back, and makes the packed bytes 0.4 % larger (M).
 */
export function openDeflate(level: number): Deflate {
  const free: zlib.DeflateRaw[] = [];
  const options = {
    ...{ level, memLevel, windowBits: windowBitsOf(level), flush: zlib.constants.Z_FULL_FLUSH },
    chunkSize: 256 * KiB,
    highWaterMark: 2048 * KiB, // more than comes of a block: who waits for its end does not read before
  };
  return (bytes) => {
    const stream = free.pop() ?? zlib.createDeflateRaw(options).on("error", () => undefined);
    return new Promise((resolve, reject) => {
      stream.write(bytes, (error) => {
        if (error) {
          reject(error);
          return;
        }
        const packed: Buffer[] = [];
        // How much one call gives depends on the version of Node.js.
        for (let piece; (piece = stream.read() as Buffer | null);) packed.push(piece);
        free.push(stream);
        resolve(packed);
      });
    });
  };
}

/** One gzip member (RFC 1952) of blocks that were deflated on their own: it unpacks everywhere. */
export function gzipCoder(deflate: Deflate): BlockCoder {
  let crc = 0;
  let size = 0;
  return {
    // No name, no time, no system: nothing that would differ tomorrow.
    head: () => Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]),
    block(bytes) {
      crc = zlib.crc32(bytes, crc);
      size += bytes.length;
      return deflate(bytes);
    },
    tail() {
      const end = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // an empty last block, CRC, length
      end.writeUInt32LE(crc, 2);
      end.writeUInt32LE(size % 2 ** 32, 6);
      return end;
    },
  };
}

/** What Node.js 22.15 and 23.8 added. */
interface WithZstd {
  zstdCompress?: (
    bytes: Buffer,
    options: { params: Record<number, number> },
    done: (error: Error | null, packed: Buffer) => void,
  ) => void;
  constants: { ZSTD_c_compressionLevel: number; ZSTD_c_checksumFlag: number };
}

/** Zstandard frames one after the other (RFC 8878); undefined where this Node.js has no zstd. */
export function zstdCoder(level: number): BlockCoder | undefined {
  const { zstdCompress, constants } = zlib as unknown as WithZstd;
  if (!zstdCompress) return undefined;
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
  return {
    head: () => Buffer.alloc(0),
    block: (bytes) =>
      new Promise((resolve, reject) => {
        zstdCompress(bytes, { params }, (error, packed) => {
          if (error) reject(error);
          else resolve([packed]);
        });
      }),
    tail: () => Buffer.alloc(0),
  };
}
