import { expect, test } from "vitest";
import { networkError } from "../../../src/cluster/network-error.ts";
import { KpushError } from "../../../src/errors.ts";

const server = "https://api.example:6443";
const error = (code: string, message = code, more: object = {}) =>
  Object.assign(new Error(message), { code, ...more });

test.for([
  [
    "an unknown name",
    error("ENOTFOUND", "getaddrinfo ENOTFOUND api.example"),
    "CLUSTER_UNREACHABLE",
    "api.example cannot be resolved",
  ],
  [
    "a name that cannot be asked for",
    error("EAI_AGAIN", "getaddrinfo EAI_AGAIN api.example"),
    "CLUSTER_UNREACHABLE",
    "cannot be resolved",
  ],
  [
    "a closed port",
    error("ECONNREFUSED", "x", { address: "10.0.0.1", port: 6443 }),
    "CLUSTER_UNREACHABLE",
    "nothing accepts connections at 10.0.0.1:6443",
  ],
  ["silence", error("ETIMEDOUT"), "CLUSTER_UNREACHABLE", "does not answer"],
  ["no way there", error("EHOSTUNREACH"), "CLUSTER_UNREACHABLE", "does not answer"],
  [
    "a broken connection",
    error("ECONNRESET", "socket hang up"),
    "CLUSTER_UNREACHABLE",
    "broke (ECONNRESET)",
  ],
  [
    "an unknown authority",
    error("UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
    "CLUSTER_TLS",
    "an authority that the kubeconfig does not name",
  ],
  ["an expired certificate", error("CERT_HAS_EXPIRED"), "CLUSTER_TLS", "has expired"],
  ["a certificate of tomorrow", error("CERT_NOT_YET_VALID"), "CLUSTER_TLS", "is not valid yet"],
  [
    "another name",
    error("ERR_TLS_CERT_ALTNAME_INVALID", "Host: api.example. is not in the cert's altnames"),
    "CLUSTER_TLS",
    "is for another name",
  ],
  [
    "plain HTTP",
    error("EPROTO", "ssl3_get_record:wrong version number"),
    "CLUSTER_TLS",
    "does not speak TLS",
  ],
  [
    "a refused client certificate",
    error("ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", "sslv3 alert certificate expired"),
    "CLUSTER_TLS",
    "refused the client certificate of the kubeconfig: it has expired",
  ],
  [
    "a key that does not fit",
    error("ERR_OSSL_X509_KEY_VALUES_MISMATCH", "key values mismatch"),
    "CREDENTIALS_FAILED",
    "cannot be used",
  ],
  [
    "a proxy that wants a login",
    error("", "x", { status: 407 }),
    "CLUSTER_UNREACHABLE",
    "wants a login (407)",
  ],
  [
    "a proxy that refuses",
    error("", "x", { status: 403 }),
    "CLUSTER_UNREACHABLE",
    "refused with status 403",
  ],
  [
    "a SOCKS proxy",
    new Error("Socks5 proxy rejected connection - HostUnreachable"),
    "CLUSTER_UNREACHABLE",
    "SOCKS proxy",
  ],
  [
    "no HTTP",
    error("HPE_INVALID_CONSTANT", "Parse Error"),
    "CLUSTER_TLS",
    "does not answer in HTTP",
  ],
  ["anything else", new Error("strange"), "CLUSTER_UNREACHABLE", "strange"],
] as const)("%s", ([, thrown, code, message]) => {
  const explained = networkError(thrown, server);
  expect(explained.code).toBe(code);
  expect(explained.message).toContain(message);
  expect(explained.message).toContain(code === "CREDENTIALS_FAILED" ? "kubeconfig" : server);
  expect(explained.hint).toBeTruthy();
  expect(explained.cause).toBe(thrown);
});

test("the error of an ErrorEvent and the first of several addresses are what counts", () => {
  const refused = error("ECONNREFUSED", "x", { address: "::1", port: 1 });
  expect(networkError({ error: new AggregateError([refused]) }, server).message).toContain(
    "at [::1]:1",
  );
});

test("a KpushError stays as it is", () => {
  const own = new KpushError("CREDENTIALS_FAILED", "x");
  expect(networkError(own, server)).toBe(own);
});
