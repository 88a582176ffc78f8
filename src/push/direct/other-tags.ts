import type { Manifest, RegistryClient } from "../../registry/types.ts";

/** Tags that are read at most. */
const most = 2;
/** What images are called that others are built like, the likeliest first. */
const likely = ["latest", "dev", "main", "master", "edge"];

/** Images of a repository that a new tag most likely has layers in common with. */
export async function otherTags(
  registry: Pick<RegistryClient, "listTags" | "getManifest">,
  repository: string,
): Promise<Manifest[]> {
  const tags = await registry.listTags(repository, 1000);
  const usual = likely.filter((tag) => tags.includes(tag));
  // Versions and dates come in their order, the newest last.
  const chosen = [...new Set([...usual.slice(0, most - 1), ...tags.toReversed()])].slice(0, most);
  const found = await Promise.all(chosen.map((tag) => registry.getManifest(repository, tag)));
  return found.filter((one) => one !== undefined);
}
