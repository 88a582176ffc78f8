import { createHash } from "node:crypto";

const digestSyntax = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/**
 * Whether a text is a digest that kpush works with: `sha256:` and 64, or `sha512:` and 128 lower-case
 * hex digits. Only what passes here may enter a URL, a path or an entry's name.
 */
export function isDigest(text: unknown): text is string {
  return typeof text === "string" && digestSyntax.test(text);
}

/** The digest of these bytes, by SHA-256 unless another digest says which algorithm to take. */
export function digestOf(bytes: Uint8Array, like = "sha256:"): string {
  const algorithm = like.startsWith("sha512:") ? "sha512" : "sha256";
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}
