import { findRegistry } from "../../cluster/discovery.ts";
import { getObject, ifAllowed, type KubeObject } from "../../cluster/objects.ts";
import { usualNamespaces } from "../../cluster/registry-kinds.ts";
import type { Cluster } from "../../cluster/types.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import { labels, names } from "../names.ts";

/** The Deployment of an installation, and where it is. */
export interface Installation {
  namespace: string;
  deployment: KubeObject;
}

/**
 * Finds what `kpush install` made: in the namespace, or in the first of the usual ones that has it.
 *
 * @throws KpushError `NOT_INSTALLED`, `CLUSTER_FORBIDDEN` where none may be looked into
 */
export async function findInstallation(
  cluster: Cluster,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<Installation> {
  const namespaces = namespace === undefined ? usualNamespaces(cluster.namespace) : [namespace];
  const asked = namespaces.map((one) => {
    const ref = { apiVersion: "apps/v1", kind: "Deployment", namespace: one, name: names.registry };
    return getObject(cluster, ref, signal);
  });
  const found = await Promise.all(asked.map((one) => ifAllowed(one)));
  for (const [at, deployment] of found.entries()) {
    if (deployment?.metadata.labels?.[labels.managedBy] === "kpush")
      return { namespace: namespaces[at] ?? "", deployment };
  }
  const answers = await Promise.allSettled(asked);
  const refused = answers.filter((one) => one.status === "rejected");
  if (refused[0] && refused.length === answers.length)
    throw withGrant(refused[0].reason, namespaces[0] ?? "");
  throw await notInstalled(cluster, namespaces, namespace, signal);
}

/** A right to push alone is not enough to look at Deployments. */
function withGrant(error: unknown, namespace: string): unknown {
  if (!(error instanceof KpushError) || error.code !== "CLUSTER_FORBIDDEN") return error;
  return new KpushError(error.code, error.message, {
    hint: `an administrator lets you look with: kubectl create rolebinding kpush-view -n ${namespace} --clusterrole=view --user=YOU`,
    cause: error,
  });
}

/** Says where pushes go in its place, if they do. */
async function notInstalled(
  cluster: Cluster,
  namespaces: readonly string[],
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<KpushError> {
  const where = `${namespaces.length === 1 ? "namespace" : "namespaces"} ${namespaces.join(", ")}`;
  const message = `kpush is not installed in context ${plain(cluster.context, 200)}: it has made no registry in ${where}`;
  const other = await findRegistry(cluster, { namespace }, signal).catch(() => undefined);
  signal.throwIfAborted();
  if (!other) {
    const hint = "kpush install sets one up; if it is elsewhere: -n NAMESPACE";
    return new KpushError("NOT_INSTALLED", message, { hint });
  }
  return new KpushError(
    "NOT_INSTALLED",
    `${message}; pushes go to pod ${other.namespace}/${other.name}, which something else has set up (${other.kind}): status knows kpush's own alone`,
    {
      hint: `kubectl describe pod -n ${other.namespace} ${other.name}; kpush install --replace-addon takes the old addon's place`,
    },
  );
}
