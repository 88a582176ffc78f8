import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { mapping } from "./values.ts";
import type { Cluster } from "./types.ts";

type Permission = [
  verb: "get" | "create" | "update" | "patch" | "list",
  resource: "pods" | "pods/portforward" | "pods/proxy",
];

const forwarding: Permission[] = [
  ["get", "pods/portforward"],
  ["create", "pods/portforward"],
];

/**
 * Makes the error for a 403 on a port-forward: asks which of the two verbs is missing, as the API
 * server's answer may name none.
 *
 * @param target - the pod that was to be reached
 * @param status - the message of the refusing answer, `""` where it had none
 */
export async function explainForbidden(
  cluster: Pick<Cluster, "request" | "context">,
  { namespace }: { namespace: string },
  status: string,
): Promise<KpushError> {
  const missing = await missingOf(cluster, namespace, forwarding);
  if (missing === undefined || missing.length > 0)
    return forbidden(cluster, namespace, missing ?? forwarding, status);
  const why = plain(status, 500) || "it gave no reason";
  return new KpushError(
    "CLUSTER_FAILED",
    `the port-forward in namespace ${namespace} was refused although you may use it: ${why}`,
    {
      hint: "an admission webhook or a gateway in front of the API server may not allow it; try kubectl port-forward",
    },
  );
}

/** What the methods of a push (GET, POST, PUT, PATCH) need where they go by the proxy to pods. */
const proxying: Permission[] = [
  ["get", "pods/proxy"],
  ["create", "pods/proxy"],
  ["update", "pods/proxy"],
  ["patch", "pods/proxy"],
];

/** Whether a push may go by the API server's proxy to pods, for whoever may not forward a port. */
export async function mayUseProxy(
  cluster: Pick<Cluster, "request">,
  { namespace }: { namespace: string },
): Promise<boolean> {
  const missing = await missingOf(cluster, namespace, proxying);
  return missing?.length === 0;
}

/** The error for a 403 on a list of pods. */
export function forbiddenList(
  cluster: Pick<Cluster, "context">,
  namespace: string,
  status: string,
): KpushError {
  return forbidden(cluster, namespace, [["list", "pods"]], status);
}

function forbidden(
  cluster: Pick<Cluster, "context">,
  namespace: string,
  missing: Permission[],
  status: string,
): KpushError {
  const what = missing.map(([verb, resource]) => `${verb} ${resource}`).join(" and ");
  const said = plain(status, 500);
  return new KpushError(
    "CLUSTER_FORBIDDEN",
    `you may not ${what} in namespace ${namespace} of context ${plain(cluster.context, 200)}${said ? ` (${said})` : ""}`,
    { hint: `an administrator grants it with: ${grant(namespace, missing)}` },
  );
}

/** A Role with all that kpush needs of the resource, and the binding of it. */
function grant(namespace: string, missing: Permission[]): string {
  const resources = new Set(missing.map(([, resource]) => resource));
  const role = resources.has("pods") ? "kpush-find" : "kpush-forward";
  const verbs = resources.has("pods")
    ? "--verb=list --resource=pods"
    : "--verb=get,create --resource=pods/portforward";
  return `kubectl create role ${role} -n ${namespace} ${verbs} && kubectl create rolebinding ${role} -n ${namespace} --role=${role} --user=YOU`;
}

/** @returns those that are not granted, undefined where the review itself is not to be had */
async function missingOf(
  cluster: Pick<Cluster, "request">,
  namespace: string,
  wanted: Permission[],
): Promise<Permission[] | undefined> {
  try {
    const granted = await Promise.all(
      wanted.map((permission) => isGranted(cluster, namespace, permission)),
    );
    return wanted.filter((_, index) => !granted[index]);
  } catch {
    return undefined; // the 403 is what has to be told, not that nobody could say more of it
  }
}

async function isGranted(
  cluster: Pick<Cluster, "request">,
  namespace: string,
  [verb, path]: Permission,
): Promise<boolean> {
  const [resource, subresource] = path.split("/");
  const { status, json } = await cluster.request(
    "POST",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    {
      body: {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes: { namespace, verb, resource, subresource } },
      },
    },
  );
  const { allowed } = mapping(mapping(json)["status"]);
  if (status !== 201 || typeof allowed !== "boolean") throw new Error(`status ${status}`);
  return allowed;
}
