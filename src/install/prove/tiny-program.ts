/** An ELF machine, and the instructions for `exit(0)`. */
interface Target {
  machine: number;
  code: readonly number[];
}

const targets: Record<string, Target> = {
  // xor edi, edi; mov eax, 60; syscall
  amd64: { machine: 62, code: [0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05] },
  // mov x0, #0; mov x8, #93; svc #0
  arm64: { machine: 183, code: [0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4] },
};

const headers = 64 + 56;
const address = 0x400000;
/** A multiple of the largest page that arm64 has. */
const alignment = 0x10000;

/**
 * A program of some 130 bytes that ends at once with 0. Where there is none for the architecture the
 * one of another is good enough: an image that does not run has been pulled all the same.
 *
 * @param architecture - as Go calls it
 */
export function tinyProgram(architecture: string): Buffer {
  const { machine, code } = (targets[architecture] ?? targets["amd64"]) as Target;
  const size = BigInt(headers + code.length);
  const elf = Buffer.alloc(headers + code.length);
  // ELF64, little-endian, version 1; then type EXEC (2). elf(5) has the fields.
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  elf.writeUInt16LE(2, 16);
  elf.writeUInt16LE(machine, 18);
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(BigInt(address + headers), 24); // entry point
  elf.writeBigUInt64LE(64n, 32); // the one program header
  elf.writeUInt16LE(64, 52);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, 64); // LOAD, readable and executable
  elf.writeUInt32LE(5, 68);
  elf.writeBigUInt64LE(BigInt(address), 80);
  elf.writeBigUInt64LE(BigInt(address), 88);
  elf.writeBigUInt64LE(size, 96);
  elf.writeBigUInt64LE(size, 104);
  elf.writeBigUInt64LE(BigInt(alignment), 112);
  elf.set(code, headers);
  return elf;
}
