/** What the 512 bytes in front of an entry say of it. */
export interface TarHeader {
  kind: "file" | "symlink" | "link" | "pax" | "long-name" | "long-target" | "other";
  name: string;
  /** Where a link leads to. */
  target: string;
  /** Bytes that follow, before they are filled up to whole blocks. */
  size: number;
}

/** Bytes of a header, and what contents are filled up to. */
export const blockSize = 512;

const kinds: Record<string, TarHeader["kind"]> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
  x: "pax",
  L: "long-name",
  K: "long-target",
};

/** Links, devices, directories and fifos: some tools note down a size, but no content follows. */
const withoutContent = new Set("123456");

/**
 * Reads a header: POSIX ustar and pax, GNU, and the tar of Unix V7 that they come from.
 *
 * @returns undefined for a block of zeros, of which two end an archive
 * @throws Error where it is none
 */
export function readHeader(block: Buffer): TarHeader | undefined {
  const sum = checksum(block);
  if (sum === 8 * 32) return undefined; // no byte is set but the spaces that stand for the sum
  if (octal(block.subarray(148, 156)) !== sum) throw new Error("no tar header");
  const type = String.fromCharCode(block[156] ?? 0);
  const name = text(block.subarray(0, 100));
  const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? text(block.subarray(345, 500)) : "";
  // V7 had no directories of their own.
  const kind = name.endsWith("/") && kinds[type] === "file" ? "other" : (kinds[type] ?? "other");
  return {
    kind,
    name: prefix === "" ? name : `${prefix}/${name}`,
    target: text(block.subarray(157, 257)),
    size: withoutContent.has(type) ? 0 : number(block.subarray(124, 136)),
  };
}

/**
 * Reads what a pax header says of the next entry, as `LENGTH KEY=VALUE` lines (POSIX, pax).
 *
 * @throws Error where it is broken
 */
export function readPax(bytes: Buffer): { name?: string; target?: string; size?: number } {
  const values = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(" ", at);
    const length = decimal(bytes.toString("latin1", at, Math.min(space, at + 16)));
    const line = bytes.subarray(space + 1, at + length);
    const equals = line.indexOf("=");
    if (space < 0 || at + length > bytes.length || equals < 1 || line.at(-1) !== 0x0a)
      throw new Error("no pax header");
    values.set(
      line.toString("utf8", 0, equals),
      line.toString("utf8", equals + 1, line.length - 1),
    );
    at += length;
  }
  const [name, target, size] = ["path", "linkpath", "size"].map((key) => values.get(key));
  return {
    ...(name === undefined ? {} : { name }),
    ...(target === undefined ? {} : { target }),
    ...(size === undefined ? {} : { size: decimal(size) }),
  };
}

/** A text of fixed length, which a zero byte may end earlier. */
export function text(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

/** Of all bytes, its own field counting as spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 32;
  for (const [at, byte] of block.entries()) if (at < 148 || at >= 156) sum += byte;
  return sum;
}

/** Octal digits, or GNU's way for what is too large for them: 0x80, and then the number itself. */
function number(field: Buffer): number {
  if (((field[0] ?? 0) & 0x80) === 0) return octal(field);
  if (field[0] !== 0x80) throw new Error("a negative size");
  return safe([...field.subarray(1)].reduce((sum, byte) => sum * 256 + byte, 0));
}

function octal(field: Buffer): number {
  const digits = text(field).trim();
  if (!/^[0-7]*$/.test(digits)) throw new Error("no octal number");
  return digits === "" ? 0 : safe(Number.parseInt(digits, 8));
}

function decimal(digits: string): number {
  if (!/^[0-9]{1,16}$/.test(digits)) throw new Error("no number");
  return safe(Number(digits));
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error("too large a number");
  return value;
}
