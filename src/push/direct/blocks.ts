import type { Slots } from "../../registry/slots.ts";

/** Bytes of input in one block: larger ones pack hardly better, and each that is under way takes memory. */
export const blockSize = 512 * 1024;

/** A format whose output can be put together from blocks that were compressed on their own. */
export interface BlockCoder {
  /** What comes before the first block. */
  head(): Buffer;
  /** Nothing before or after a block changes what comes of it. It may be overwritten once the promise is fulfilled. */
  block(bytes: Buffer): Promise<Buffer[]>;
  /** What comes after the last block. Called once, after all of them were given to `block`. */
  tail(): Buffer;
}

/**
 * Compresses a stream, several blocks at a time on the threads of libuv's pool. What comes out depends
 * on the input and the coder alone: the same layer has the same digest on any machine and any day.
 *
 * @param width - blocks that are under way at once; they bound the memory, too
 * @param working - a slot for each block that is worked on, which streams may share
 */
export async function* compressInBlocks(
  source: AsyncIterable<Buffer>,
  coder: BlockCoder,
  width: number,
  working: Slots,
): AsyncGenerator<Buffer, void, undefined> {
  const blocks: Promise<Buffer[]>[] = [];
  yield coder.head();
  // A block is done before its buffer's turn comes again.
  for await (const bytes of blocksOf(source, width)) {
    const block = inTurn(working, coder, bytes);
    block.catch(() => undefined); // awaited in its turn
    blocks.push(block);
    if (blocks.length >= width) yield* (await blocks.shift()) ?? [];
  }
  for (const block of blocks) yield* await block;
  yield coder.tail();
}

/** Those of one stream begin in their order, as the slots do. */
async function inTurn(working: Slots, coder: BlockCoder, bytes: Buffer): Promise<Buffer[]> {
  await working.take();
  try {
    return await coder.block(bytes);
  } finally {
    working.give();
  }
}

/** Cuts a stream into blocks of one size, but for the last. Buffers take turns. */
async function* blocksOf(
  source: AsyncIterable<Buffer>,
  count: number,
): AsyncGenerator<Buffer, void, undefined> {
  const buffers: Buffer[] = [];
  let turn = 0;
  let filled = 0;
  for await (const chunk of source) {
    for (let taken = 0; taken < chunk.length;) {
      const buffer = (buffers[turn] ??= Buffer.allocUnsafeSlow(blockSize));
      const copied = chunk.copy(buffer, filled, taken, taken + blockSize - filled);
      taken += copied;
      filled += copied;
      if (filled < blockSize) continue;
      yield buffer;
      turn = (turn + 1) % count;
      filled = 0;
    }
  }
  const last = buffers[turn]?.subarray(0, filled);
  if (last && filled > 0) yield last;
}
