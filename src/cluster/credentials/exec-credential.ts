import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { ClusterEntry } from "../kubeconfig/cluster-entry.ts";
import { mapping, text } from "../values.ts";
import type { Login } from "./login.ts";

const group = "client.authentication.k8s.io";
export const execVersions: readonly string[] = [`${group}/v1`, `${group}/v1beta1`];

/** What the plugin is told in KUBERNETES_EXEC_INFO: an ExecCredential with a spec, as JSON. */
export function execInfo(
  apiVersion: string,
  interactive: boolean,
  cluster: (ClusterEntry & { authority: string | undefined }) | undefined,
): string {
  const spec = { ...(cluster ? { cluster: clusterInfo(cluster) } : {}), interactive };
  return JSON.stringify({ kind: "ExecCredential", apiVersion, spec });
}

function clusterInfo(cluster: ClusterEntry & { authority: string | undefined }): object {
  return {
    server: cluster.server,
    ...(cluster.serverName === undefined ? {} : { "tls-server-name": cluster.serverName }),
    ...(cluster.insecure ? { "insecure-skip-tls-verify": true } : {}),
    ...(cluster.authority === undefined
      ? {}
      : { "certificate-authority-data": Buffer.from(cluster.authority).toString("base64") }),
    ...(cluster.proxyUrl === undefined ? {} : { "proxy-url": cluster.proxyUrl }),
    config: cluster.execConfig ?? null,
  };
}

/**
 * Reads what an exec plugin printed: an ExecCredential with a token, or a certificate and its key.
 *
 * @throws KpushError `CREDENTIALS_FAILED`; the plugin's output is never part of the message, as it
 *   may hold a secret
 */
export function parseExecCredential(stdout: string, apiVersion: string, command: string): Login {
  const fail = (why: string): KpushError =>
    new KpushError("CREDENTIALS_FAILED", `the credential plugin ${plain(command, 200)} ${why}`, {
      hint: "run it by hand to see what it prints; kubectl get pods should fail the same way",
    });
  let answer: Record<string, unknown>;
  try {
    answer = mapping(JSON.parse(stdout));
  } catch {
    throw fail(stdout.trim() === "" ? "printed nothing" : "printed something that is no JSON");
  }
  if (answer["kind"] !== "ExecCredential")
    throw fail("printed something that is no ExecCredential");
  if (answer["apiVersion"] !== apiVersion) {
    throw fail(
      `answered with version ${plain(text(answer["apiVersion"]) ?? "none", 100)} where the kubeconfig wants ${plain(apiVersion, 100)}`,
    );
  }
  const status = mapping(answer["status"]);
  const [token, certificate, key] = ["token", "clientCertificateData", "clientKeyData"].map(
    (name) => text(status[name]),
  );
  if ((certificate === undefined) !== (key === undefined))
    throw fail("gave only one of certificate and key");
  if (token === undefined && certificate === undefined)
    throw fail("gave neither a token nor a certificate");
  const expires = Date.parse(text(status["expirationTimestamp"]) ?? "");
  return { token, certificate, key, expires: Number.isNaN(expires) ? undefined : expires };
}
