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

/**
 * One gzip member (RFC 1952) of blocks that were deflated on their own and each end on a byte (Z_SYNC_FLUSH): it
 * unpacks everywhere. To know nothing of the block before takes a tenth less time at the usual level, and makes the packed
 * bytes 0.4 % larger (M).
 */
export function gzipCoder(level: number): BlockCoder {
  let crc = 0;
  let size = 0;
  const options = {
    ...{ level, memLevel, windowBits: windowBitsOf(level), chunkSize: 256 * KiB },
    finishFlush: zlib.constants.Z_SYNC_FLUSH,
  };
  return {
    // No name, no time, no system: nothing that would differ tomorrow.
    head: () => Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]),
    block(bytes) {
      crc = zlib.crc32(bytes, crc);
      size += bytes.length;
      return new Promise((resolve, reject) => {
        zlib.deflateRaw(bytes, options, (error, packed) => {
          if (error) reject(error);
          else resolve(packed);
        });
      });
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
          else resolve(packed);
        });
      }),
    tail: () => Buffer.alloc(0),
  };
}
