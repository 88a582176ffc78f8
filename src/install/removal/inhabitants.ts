import type { Cluster } from "../../cluster/types.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import { labels } from "../names.ts";

/** What every namespace has, and what goes with what it belongs to. */
const furniture = new Set([
  ...["configmaps/kube-root-ca.crt", "configmaps/openshift-service-ca.crt"],
  ...["configmaps/istio-ca-root-cert", "serviceaccounts/default"],
]);
const passing = new Set(["events", "endpoints"]);

interface Resource {
  /** `/api/v1` or `/apis/GROUP/VERSION`. */
  root: string;
  name: string;
}

/**
 * What is in a namespace that kpush did not make, such as `statefulsets/db`: whoever deletes the
 * namespace deletes that too. All kinds are looked at that the server knows; what may not be looked at
 * counts as being there.
 */
export async function inhabitantsOf(
  cluster: Pick<Cluster, "request">,
  namespace: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { resources, unknown } = await namespacedResources(cluster, signal);
  const found = await Promise.all(
    resources.map((resource) => itemsOf(cluster, resource, namespace, signal)),
  );
  return [...found.flat(), ...unknown];
}

async function namespacedResources(
  cluster: Pick<Cluster, "request">,
  signal: AbortSignal,
): Promise<{ resources: Resource[]; unknown: string[] }> {
  const groups = await cluster.request("GET", "/apis", { signal });
  const roots = list(mapping(groups.json)["groups"]).flatMap((group) => {
    const version = text(mapping(mapping(group)["preferredVersion"])["groupVersion"]);
    return version === undefined ? [] : [`/apis/${version}`];
  });
  const answers = await Promise.all(
    ["/api/v1", ...roots].map(async (root) => {
      const { status, json } = await cluster.request("GET", root, { signal });
      return { root, resources: status === 200 ? list(mapping(json)["resources"]) : undefined };
    }),
  );
  const unknown = answers
    .filter(({ resources }) => resources === undefined)
    .map(({ root }) => `what ${plain(root, 200)} serves (it does not answer)`);
  if (groups.status !== 200) unknown.push("what /apis serves (it does not answer)");
  return {
    unknown,
    resources: answers.flatMap(({ root, resources = [] }) =>
      resources
        .map(mapping)
        .filter(canBeLost)
        .map((one) => ({ root, name: String(one["name"]) })),
    ),
  };
}

/** Not subresources, not what is only computed (metrics), not what comes and goes by itself. */
function canBeLost({ name, namespaced, verbs }: Record<string, unknown>): boolean {
  return (
    namespaced === true &&
    /^[a-z0-9-]+$/.test(String(name)) &&
    !passing.has(String(name)) &&
    ["list", "create", "delete"].every((verb) => list(verbs).includes(verb))
  );
}

async function itemsOf(
  cluster: Pick<Cluster, "request">,
  { root, name }: Resource,
  namespace: string,
  signal: AbortSignal,
): Promise<string[]> {
  const path = `${root}/namespaces/${encodeURIComponent(namespace)}/${name}?limit=100`;
  const { status, json } = await cluster.request("GET", path, { signal });
  if (status === 404 || status === 405) return [];
  if (status !== 200) return [`${name} (may not be listed)`];
  const { items, metadata } = mapping(json);
  const more = text(mapping(metadata)["continue"]) === undefined ? [] : [`more ${name}`];
  return [...list(items).flatMap((item) => titleOf(name, item) ?? []), ...more];
}

function titleOf(resource: string, item: unknown): string | undefined {
  const { name, labels: marks, ownerReferences } = mapping(mapping(item)["metadata"]);
  const title = `${resource}/${plain(text(name) ?? "", 253)}`;
  const isOwned = list(ownerReferences).length > 0;
  const isOurs = mapping(marks)[labels.managedBy] === "kpush";
  return isOwned || isOurs || furniture.has(title) ? undefined : title;
}
