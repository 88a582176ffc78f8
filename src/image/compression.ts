/** How the bytes of a layer lie in a registry; the ending of OCI's media types, but for `none`. */
export type Packing = "none" | "gzip" | "zstd";

/** What the user wants of layers that come plain. */
export type Compression =
  { kind: "auto" | "none" } | { kind: Exclude<Packing, "none">; level: number };

/** What `--compression` takes, for messages. */
export const compressionWords = "auto, none, gzip[:1-9] or zstd[:1-19]";

/** Reads {@link compressionWords}; undefined for anything else. */
export function parseCompression(text: string): Compression | undefined {
  if (text === "auto" || text === "none") return { kind: text };
  const [, kind, digits] = /^(gzip|zstd)(?::(\d{1,2}))?$/.exec(text) ?? [];
  if (kind !== "gzip" && kind !== "zstd") return undefined;
  const [usual, most] = kind === "gzip" ? [6, 9] : [3, 19];
  const level = digits === undefined ? usual : Number(digits);
  return level >= 1 && level <= most ? { kind, level } : undefined;
}
