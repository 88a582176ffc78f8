import type { OutgoingHttpHeaders } from "node:http";
import type { Impersonation } from "./kubeconfig/user-entry.ts";

/**
 * The headers that make the API server act as someone else.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
 */
export function impersonationHeaders(impersonate: Impersonation | undefined): OutgoingHttpHeaders {
  if (!impersonate) return {};
  const headers: OutgoingHttpHeaders = { "Impersonate-User": headerText(impersonate.user) };
  if (impersonate.uid !== undefined) headers["Impersonate-Uid"] = headerText(impersonate.uid);
  if (impersonate.groups.length > 0)
    headers["Impersonate-Group"] = impersonate.groups.map(headerText);
  for (const [key, values] of Object.entries(impersonate.extra)) {
    headers[`Impersonate-Extra-${escapedKey(key)}`] = values.map(headerText);
  }
  return headers;
}

/** node writes headers as latin1; the server reads UTF-8, as Go's client sends it. */
const headerText = (value: string): string => Buffer.from(value, "utf8").toString("latin1");

/** Keys are lower case, and percent-encoded where a header name may not have the character. */
function escapedKey(key: string): string {
  return [...Buffer.from(key.toLowerCase(), "utf8")]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[a-z0-9!#$&'*+.^_`|~-]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}
