import { mapping } from "../values.ts";

/**
 * When a JSON Web Token runs out, by its `exp` claim; the signature is the server's business.
 *
 * @returns milliseconds since 1970, undefined where it has no such claim or is no such token
 */
export function expiryOf(token: string): number | undefined {
  try {
    const claims = mapping(
      JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")),
    );
    return typeof claims["exp"] === "number" ? claims["exp"] * 1000 : undefined;
  } catch {
    return undefined;
  }
}
