import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { blockSize, type BlockCoder } from "./blocks.ts";

const KiB = 1024;
/** Of the tables: the largest are quicker by a tenth, for 128 KiB more (M). */
const memLevel = 9;

/**
 * How far deflate looks back, as a power of two. The quickest level is there for speed: with tables that stay in a
 * core's own cache it is quicker by a sixth, and packs by a twentieth less (M).
 */
const windowBitsOf = (level: number): number => (level === 1 ? 13 : 15);

const streamOptions = {
  chunkSize: 256 * KiB,
  highWaterMark: 2 * blockSize, // more than comes of a block: who waits for its end does not read before
};

/** Blocks that are packed at once have a stream each, which serve again: a new one for each is half a megabyte of garbage. */
function packOnStreams(open: () => Transform): BlockCoder["block"] {
  const free: Transform[] = [];
  return (bytes) => {
    const stream = free.pop() ?? open().on("error", () => undefined);
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

/**
 * Packs blocks as raw deflate (RFC 1951) that ends on a byte and is not the last. A full flush has a stream forget the block
 * before: that takes a tenth less time at the usual level than to look back, and makes the packed bytes 0.4 % larger (M).
 */
export function openDeflate(level: number): BlockCoder["block"] {
  const options = { level, memLevel, windowBits: windowBitsOf(level), ...streamOptions };
  const flush = zlib.constants.Z_FULL_FLUSH;
  return packOnStreams(() => zlib.createDeflateRaw({ ...options, flush }));
}

/** One gzip member (RFC 1952) of blocks that were deflated on their own: it unpacks everywhere. */
export function gzipCoder(deflate: BlockCoder["block"]): BlockCoder {
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
  createZstdCompress?: (
    options: { params: Record<number, number>; flush: number } & typeof streamOptions,
  ) => Transform;
  constants: Record<
    `ZSTD_${"c_compressionLevel" | "c_checksumFlag" | "c_windowLog" | "e_end"}`,
    number
  >;
}

/** Zstandard frames one after the other (RFC 8878); undefined where this Node.js has no zstd. */
export function openZstd(level: number): BlockCoder | undefined {
  const { createZstdCompress, constants } = zlib as unknown as WithZstd;
  if (!createZstdCompress) return undefined;
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_checksumFlag]: 1,
    [constants.ZSTD_c_windowLog]: Math.log2(blockSize), // there is no more to look back to
  };
  const flush = constants.ZSTD_e_end;
  const block = packOnStreams(() => createZstdCompress({ params, flush, ...streamOptions }));
  return { head: () => Buffer.alloc(0), block, tail: () => Buffer.alloc(0) };
}
