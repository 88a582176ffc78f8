import { KpushError, messageOf, unknownAuthority, type ErrorCode } from "../errors.ts";
import { plain } from "../image/text.ts";

/** What is looked at in an error of node's sockets, TLS, HTTP or a proxy. */
interface Failure {
  code: string;
  message: string;
  /** Where a connection was tried; a proxy's where there is one. */
  address?: string | undefined;
  port?: number | undefined;
  /** What a proxy answered. */
  status?: number | undefined;
}

type Explanation = [code: ErrorCode, what: string, hint: string];

/**
 * Explains why no exchange with the API server took place: name, connection, proxy or TLS.
 *
 * @param error - what node, `ws` or an agent threw; a KpushError is returned as it is
 * @param server - base address of the API server
 */
export function networkError(error: unknown, server: string): KpushError {
  if (error instanceof KpushError) return error;
  const failure = failureOf(error);
  const where = plain(server, 300);
  const [code, what, hint] = tlsFailure(failure, where) ??
    proxyFailure(failure, where) ??
    connectionFailure(failure, where) ?? [
      "CLUSTER_UNREACHABLE" as const,
      `the API server ${where} cannot be reached: ${plain(failure.message, 300)}`,
      reachable,
    ];
  return new KpushError(code, what, { hint, cause: error });
}

const reachable = "check with kubectl get --raw /readyz";

/** `ws` and client-node hand an ErrorEvent, and a host with several addresses an AggregateError. */
function failureOf(error: unknown): Failure {
  const event = error as { error?: unknown };
  const inner = error instanceof Error ? error : event.error instanceof Error ? event.error : error;
  const first = inner instanceof AggregateError ? ((inner.errors[0] as unknown) ?? inner) : inner;
  const { code, address, port, status } = first as Partial<Record<keyof Failure, unknown>>;
  return {
    code: typeof code === "string" ? code : "",
    message: messageOf(first),
    address: typeof address === "string" ? address : undefined,
    port: typeof port === "number" ? port : undefined,
    status: typeof status === "number" ? status : undefined,
  };
}

function tlsFailure({ code, message }: Failure, where: string): Explanation | undefined {
  if (unknownAuthority.has(code)) {
    return [
      "CLUSTER_TLS",
      `the certificate of ${where} was issued by an authority that the kubeconfig does not name`,
      "write the kubeconfig anew: its certificate-authority may be of an older cluster",
    ];
  }
  if (code === "CERT_HAS_EXPIRED") {
    return [
      "CLUSTER_TLS",
      `the certificate of ${where} has expired`,
      "renew the API server's certificate, and check this machine's clock",
    ];
  }
  if (code === "CERT_NOT_YET_VALID") {
    return [
      "CLUSTER_TLS",
      `the certificate of ${where} is not valid yet`,
      "check this machine's clock",
    ];
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return [
      "CLUSTER_TLS",
      `the certificate of ${where} is for another name: ${plain(message, 300)}`,
      "correct the server address in the kubeconfig, or set tls-server-name to a name in the certificate",
    ];
  }
  if (
    /wrong version number|packet length too long|http request/i.test(message) ||
    code === "ERR_SSL_WRONG_VERSION_NUMBER"
  ) {
    return [
      "CLUSTER_TLS",
      `${where} does not speak TLS: plain HTTP, or something else, answers there`,
      "check the port and the scheme of the server address in the kubeconfig",
    ];
  }
  if (
    /alert.*(certificate|unknown ca|access denied)|CERTIFICATE_REQUIRED/i.test(`${message} ${code}`)
  ) {
    const expired = /expired/i.test(`${message} ${code}`) ? "it has expired" : plain(message, 200);
    return [
      "CLUSTER_TLS",
      `${where} refused the client certificate of the kubeconfig: ${expired}`,
      "write the kubeconfig anew to get a new certificate",
    ];
  }
  if (/^ERR_OSSL|KEY_VALUES_MISMATCH|PEM/.test(code)) {
    return [
      "CREDENTIALS_FAILED",
      `the certificates or the key of the kubeconfig cannot be used: ${plain(message, 200)}`,
      "write the kubeconfig anew with your cluster's tool",
    ];
  }
  if (/^(ERR_SSL|ERR_TLS|EPROTO)/.test(code)) {
    return [
      "CLUSTER_TLS",
      `no TLS connection to ${where} came about: ${plain(message, 300)}`,
      reachable,
    ];
  }
  if (code.startsWith("HPE_")) {
    return [
      "CLUSTER_TLS",
      `${where} does not answer in HTTP; it may want https://`,
      "check the port and the scheme of the server address in the kubeconfig",
    ];
  }
  return undefined;
}

function proxyFailure({ message, status }: Failure, where: string): Explanation | undefined {
  const hint = "check proxy-url in the kubeconfig, HTTPS_PROXY and NO_PROXY";
  if (status === 407) {
    return [
      "CLUSTER_UNREACHABLE",
      `the proxy on the way to ${where} wants a login (407)`,
      "put it into the proxy's address: http://USER:PASSWORD@HOST:PORT",
    ];
  }
  if (status !== undefined)
    return [
      "CLUSTER_UNREACHABLE",
      `the proxy on the way to ${where} refused with status ${status}`,
      hint,
    ];
  if (/socks/i.test(message))
    return [
      "CLUSTER_UNREACHABLE",
      `the SOCKS proxy on the way to ${where} failed: ${plain(message, 200)}`,
      hint,
    ];
  return undefined;
}

function connectionFailure(
  { code, message, address, port }: Failure,
  where: string,
): Explanation | undefined {
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NODATA": {
      const name = plain(/\b(?:ENOTFOUND|EAI_\w+) (\S+)/.exec(message)?.[1] ?? "the name", 200);
      return [
        "CLUSTER_UNREACHABLE",
        `${name} cannot be resolved, on the way to the API server ${where}`,
        "check the network or VPN, and the server address in the kubeconfig",
      ];
    }
    case "ECONNREFUSED": {
      const peer =
        address === undefined
          ? where
          : plain(
              address.includes(":") ? `[${address}]:${port ?? ""}` : `${address}:${port ?? ""}`,
              100,
            );
      return [
        "CLUSTER_UNREACHABLE",
        `nothing accepts connections at ${peer}, on the way to the API server ${where}`,
        "start the cluster, or choose another with --context; a proxy-url may be wrong too",
      ];
    }
    case "ETIMEDOUT":
    case "ESOCKETTIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
      return [
        "CLUSTER_UNREACHABLE",
        `the API server ${where} does not answer (${code})`,
        "check the network or VPN; the cluster may be stopped",
      ];
    case "ECONNRESET":
    case "EPIPE":
    case "ECONNABORTED":
      return [
        "CLUSTER_UNREACHABLE",
        `the connection to the API server ${where} broke (${code})`,
        `try again; ${reachable}`,
      ];
    default:
      return undefined;
  }
}
