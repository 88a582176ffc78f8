import { readFile, stat } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import type { ClusterOptions, Surroundings } from "../types.ts";
import type { ChosenContext } from "./choose.ts";
import { readUser } from "./user-entry.ts";

/** Where Kubernetes mounts a pod's service account. */
export const serviceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The pod's own way to its API server, undefined outside of a pod. As for kubectl it serves only
 * where there is no kubeconfig at all.
 */
export async function inClusterContext(
  options: ClusterOptions,
  env: Surroundings["env"],
  directory: string,
): Promise<ChosenContext | undefined> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  const tokenFile = join(directory, "token");
  if (!host || !port || !(await stat(tokenFile).catch(() => undefined))?.isFile()) return undefined;
  const namespace = await readFile(join(directory, "namespace"), "utf8").catch(() => "");
  return {
    name: "in-cluster",
    inside: true,
    namespace: env["POD_NAMESPACE"] || namespace.trim() || "default",
    cluster: {
      name: "in-cluster",
      server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      authorityData: undefined,
      authorityFile: join(directory, "ca.crt"),
      serverName: undefined,
      insecure: false,
      proxyUrl: undefined,
      execConfig: undefined,
    },
    user: { ...readUser(undefined, options, undefined), name: "in-cluster", tokenFile },
  };
}
