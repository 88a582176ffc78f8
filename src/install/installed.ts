import { getObject, ifAllowed, type KubeObject, type ObjectRef } from "../cluster/objects.ts";
import type { Cluster } from "../cluster/types.ts";
import { list, mapping, text } from "../cluster/values.ts";
import { names } from "./names.ts";
import type { InstallOptions } from "./types.ts";

/** What of an installation is there already, as far as the next one goes by it. */
export interface Installed {
  deployment: KubeObject | undefined;
  proxies: KubeObject | undefined;
  /** kpush's own claim; it outlives an uninstall. */
  claim: KubeObject | undefined;
  /** The registry's ConfigMap. */
  config: KubeObject | undefined;
  /** The Namespace itself. */
  space: KubeObject | undefined;
}

/** Reads it, in one round trip. What may not be read is taken for absent: the plan tells of it. */
export async function readInstalled(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<Installed> {
  const get = (ref: ObjectRef & { name: string }) => ifAllowed(getObject(cluster, ref, signal));
  const [deployment, proxies, claim, config, space] = await Promise.all([
    get({ apiVersion: "apps/v1", kind: "Deployment", namespace, name: names.registry }),
    get({ apiVersion: "apps/v1", kind: "DaemonSet", namespace, name: names.nodeProxy }),
    get({ apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: names.registryData }),
    get({ apiVersion: "v1", kind: "ConfigMap", namespace, name: names.registryConfig }),
    get({ apiVersion: "v1", kind: "Namespace", name: namespace }),
  ]);
  return { deployment, proxies, claim, config, space };
}

/**
 * The options with the storage, its size and the registry's user as they are installed, where they are
 * not given: to leave out an option must never move a registry away from its data.
 */
export function keepStorage(options: InstallOptions, installed: Installed): InstallOptions {
  const { storage, size } = installedStorage(installed);
  const kept = { ...options, runAsUser: options.runAsUser ?? installedUser(installed) };
  if (options.storage !== undefined && options.storage !== storage) return kept;
  return { ...kept, storage: options.storage ?? storage, size: options.size ?? size };
}

/** What an installed registry keeps its images in, as `--storage` and `--size` name it. */
export function installedStorage({ deployment, claim }: Installed): {
  storage: string | undefined;
  size: string | undefined;
} {
  const data = list(podSpec(deployment)["volumes"])
    .map(mapping)
    .find(({ name }) => name === "data");
  if (data?.["emptyDir"] !== undefined)
    return { storage: "emptydir", size: text(mapping(data["emptyDir"])["sizeLimit"]) };
  const claimName = text(mapping(data?.["persistentVolumeClaim"])["claimName"]);
  if (claimName !== undefined && claimName !== names.registryData)
    return { storage: `claim:${claimName}`, size: undefined };
  const requests = mapping(mapping(mapping(claim?.["spec"])["resources"])["requests"]);
  const isThere = claimName !== undefined || claim !== undefined;
  return { storage: isThere ? "pvc" : undefined, size: text(requests["storage"]) };
}

function installedUser({ deployment }: Installed): number | undefined {
  const user = mapping(podSpec(deployment)["securityContext"])["runAsUser"];
  return typeof user === "number" ? user : undefined;
}

const podSpec = (deployment: KubeObject | undefined): Record<string, unknown> =>
  mapping(mapping(mapping(deployment?.["spec"])["template"])["spec"]);
