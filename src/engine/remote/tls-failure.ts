import { unknownAuthority, type ErrorCode } from "../../errors.ts";

/** How an address gets TLS. */
export const setTls =
  "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the directory with ca.pem, cert.pem and key.pem";

/**
 * What of an exchange with an engine failed for TLS's sake.
 *
 * @param errno - the `code` of node's error
 * @returns code, words that an "at ADDRESS" follows, and hint
 */
export function tlsFailure(
  errno: string,
  message: string,
): [code: ErrorCode, what: string, hint: string] | undefined {
  if (unknownAuthority.has(errno)) {
    const what = "ca.pem does not name the authority behind the certificate of the engine";
    return ["ENGINE_UNREACHABLE", what, setTls];
  }
  if (errno === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const what = "a certificate of another host is shown by the engine";
    return ["ENGINE_UNREACHABLE", what, "use the name or the address that it was made for"];
  }
  if (errno === "CERT_HAS_EXPIRED" || errno === "CERT_NOT_YET_VALID") {
    const what = "a certificate that is not valid at this time is shown by the engine";
    return ["ENGINE_UNREACHABLE", what, "renew it, and check the clocks of both machines"];
  }
  // Where TLS broke in the middle of a write, node's code is EPROTO and OpenSSL's words are all there is.
  if (/wrong.version.number|packet.length.too.long/i.test(`${errno} ${message}`)) {
    const what = "no TLS is spoken by the engine";
    return ["ENGINE_UNREACHABLE", what, "see whether its port is the one for TLS, 2376 as a rule"];
  }
  if (/^ERR_OSSL_/.test(errno)) {
    return ["ENGINE_UNSUPPORTED", "cert.pem and key.pem cannot be used for the engine", setTls];
  }
  if (/^ERR_SSL_.*ALERT/.test(errno) || /alert (?:bad|unknown|certificate)/i.test(message)) {
    const what = "cert.pem and key.pem, or their absence, are not accepted by the engine";
    return ["ENGINE_DENIED", what, setTls];
  }
  return undefined;
}
