import { availableParallelism } from "node:os";
import { KpushError } from "../../errors.ts";
import type { Compression, Packing } from "../../image/compression.ts";
import { Slots } from "../../registry/slots.ts";
import { compressInBlocks, type BlockCoder } from "./blocks.ts";
import { gzipCoder, openDeflate, openZstd } from "./coders.ts";

/** Compresses layers that come plain. */
export interface Packer {
  readonly packing: Exclude<Packing, "none">;
  /** e.g. `gzip:6`. */
  readonly name: string;
  /** Also what hardly gets smaller, as the user wants it so. */
  readonly always: boolean;
  pack(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined>;
}

/** What `auto` looks at. */
export interface Conditions {
  /** Milliseconds of a round trip to the registry. */
  roundTrip: number;
  cores?: number | undefined;
}

/** Round trips beyond these milliseconds mean a link that is slower than the cores. */
export const far = 15;
/** Cores that compress well as fast as a near link takes it. */
const many = 8;

/**
 * Chooses what packs plain layers. `auto` always packs, as disks and nodes have to bear the bytes as
 * well as the link: with the quickest level where the cores are the bottleneck, else with the usual one.
 *
 * @returns undefined where they go up as they are
 * @throws KpushError `USAGE` where this Node.js has no zstd
 */
export function choosePacker(
  wanted: Compression,
  { roundTrip, cores = availableParallelism() }: Conditions,
): Packer | undefined {
  if (wanted.kind === "none") return undefined;
  const near = roundTrip < far;
  const quick = near && cores < many;
  const { kind, level } =
    "level" in wanted ? wanted : { kind: "gzip" as const, level: quick ? 1 : 6 };
  const coder = coderOf(kind, level);
  // On a slow link one core is quick enough, and each block under way takes memory.
  const width = near ? Math.min(cores, 4) + 1 : 2;
  // Of several layers one more waits for a core, so that none is idle until the main thread comes to it.
  const working = new Slots(near ? width + 1 : width);
  return {
    packing: kind,
    name: `${kind}:${level}`,
    always: wanted.kind !== "auto",
    pack: (source) => compressInBlocks(source, coder(), width, working),
  };
}

/** @returns what makes a coder for each layer */
function coderOf(kind: Packer["packing"], level: number): () => BlockCoder {
  if (kind === "gzip") {
    const deflate = openDeflate(level);
    return () => gzipCoder(deflate);
  }
  const coder = openZstd(level);
  if (coder) return () => coder;
  throw new KpushError("USAGE", "this version of Node.js has no zstd", {
    hint: "take --compression gzip, or Node.js 22.15 or newer",
  });
}
