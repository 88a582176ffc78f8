import type { Cluster } from "./types.ts";
import { list, mapping, text } from "./values.ts";

/** More nodes than these are not asked for: it would be megabytes. */
const most = 250;

/**
 * Asks which platforms the nodes have: `linux/amd64`, sorted, each once. Only metadata is asked for, which has
 * them as labels. It is only good to know: whoever may not list nodes gets no answer, and no error either.
 *
 * @returns undefined where it cannot be told for all nodes; never rejects
 */
export async function nodePlatforms(
  cluster: Pick<Cluster, "request">,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  try {
    const answer = await cluster.request("GET", `/api/v1/nodes?limit=${most}`, {
      accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
      optional: true,
      signal,
    });
    return answer.status === 200 ? platformsOf(answer.json) : undefined;
  } catch {
    return undefined;
  }
}

function platformsOf(json: unknown): string[] | undefined {
  const { items, metadata } = mapping(json);
  if (mapping(metadata)["continue"]) return undefined;
  const platforms = list(items).map(platformOf);
  const known = platforms.filter((one) => one !== undefined);
  if (known.length === 0 || known.length < platforms.length) return undefined;
  return [...new Set(known)].sort();
}

/** By the labels that each kubelet sets; those of others could be anything. */
function platformOf(node: unknown): string | undefined {
  const labels = mapping(mapping(mapping(node)["metadata"])["labels"]);
  const [os, architecture] = ["os", "arch"].map((key) => text(labels[`kubernetes.io/${key}`]));
  const isPlain = [os, architecture].every((part) => /^[a-z0-9_]{1,30}$/.test(part ?? ""));
  return isPlain ? `${os ?? ""}/${architecture ?? ""}` : undefined;
}
