import { createCipheriv, createHash } from "node:crypto";
import { open } from "node:fs/promises";

const MiB = 1 << 20;

/** Bytes that do not compress; the same seed makes the same. */
export function* noise(seed: string, bytes: number): Generator<Buffer> {
  const cipher = createCipheriv(
    "aes-128-ctr",
    createHash("md5").update(seed).digest(),
    Buffer.alloc(16),
  );
  const zeros = Buffer.alloc(MiB);
  for (let left = bytes; left > 0; left -= MiB)
    yield cipher.update(zeros.subarray(0, Math.min(left, MiB)));
}

/** Bytes of machine code that shrink to a third, with a mark of the seed every 64 KiB. */
export async function* program(seed: string, bytes: number): AsyncGenerator<Buffer> {
  const marks = noise(seed, Number.MAX_SAFE_INTEGER);
  await using file = await open(process.execPath);
  const { size } = await file.stat();
  for (let at = 0; at < bytes; at += MiB) {
    const chunk = Buffer.alloc(Math.min(MiB, bytes - at));
    await file.read(chunk, 0, chunk.length, at % Math.max(1, size - MiB));
    const mark = marks.next().value as Buffer;
    for (let block = 0; block < chunk.length; block += 65_536)
      mark.copy(chunk, block, block, Math.min(block + 32, chunk.length));
    yield chunk;
  }
}

/** The smallest Linux program for amd64 that stays up: an ELF header, and pause(2) in a loop. */
export function sleepProgram(): Buffer {
  const code = Buffer.from([0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]);
  const header = Buffer.alloc(120);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(62, 18); // x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(0x400078n, 24); // entry point
  header.writeBigUInt64LE(64n, 32); // program header's offset
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64); // load
  header.writeUInt32LE(5, 68); // read and execute
  header.writeBigUInt64LE(0x400000n, 80);
  header.writeBigUInt64LE(0x400000n, 88);
  header.writeBigUInt64LE(BigInt(120 + code.length), 96);
  header.writeBigUInt64LE(BigInt(120 + code.length), 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code]);
}
