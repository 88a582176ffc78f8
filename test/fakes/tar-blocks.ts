import { digestOf } from "../../src/image/digest.ts";

/** One header as its bytes, of which a test chooses each: tar-stream would not write these. */
export interface RawHeader {
  name?: string;
  /** `0` is a file. */
  type?: string;
  target?: string;
  /** As it stands in its field; octal digits of the content's length unless given. */
  size?: string | Buffer;
  magic?: string;
  prefix?: string;
}

/** A header and its content, filled up to whole blocks. */
export function rawEntry(header: RawHeader, content: Buffer | string = ""): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([rawHeader(header, bytes.length), fill(bytes)]);
}

/** What ends an archive. */
export const end = Buffer.alloc(1024);

function rawHeader(header: RawHeader, length: number): Buffer {
  const { name = "", type = "0", target = "", magic = "ustar\0", prefix = "" } = header;
  const block = Buffer.alloc(512);
  block.write(name, 0, 100);
  const size = header.size ?? length.toString(8).padStart(11, "0");
  if (typeof size === "string") block.write(size, 124, 12);
  else size.copy(block, 124);
  block.write(type, 156);
  block.write(target, 157, 100);
  block.write(magic, 257, "latin1");
  block.write(prefix, 345, 155);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** A pax header of these lines. */
export function pax(values: Record<string, string>): Buffer {
  const lines = Object.entries(values).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    const digits = String(rest + String(rest).length).length;
    return `${rest + digits} ${key}=${value}\n`;
  });
  return rawEntry({ name: "PaxHeaders/x", type: "x" }, lines.join(""));
}

/** An image with one layer as raw entries: whatever stands before or between them may be anything. */
export function rawImage(layer = Buffer.from("a layer")): { config: Buffer; entries: Buffer } {
  const config = Buffer.from(
    JSON.stringify({
      ...{ architecture: "amd64", os: "linux" },
      rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    }),
  );
  const list = [{ Config: "config.json", RepoTags: ["app:v1"], Layers: ["layer.tar"] }];
  const entries = [
    rawEntry({ name: "layer.tar" }, layer),
    rawEntry({ name: "config.json" }, config),
    rawEntry({ name: "manifest.json" }, JSON.stringify(list)),
  ];
  return { config, entries: Buffer.concat(entries) };
}

function fill(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}
