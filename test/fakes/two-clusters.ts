import { writeFile } from "node:fs/promises";
import type { FakeEngineOptions } from "./engine.ts";
import { startCluster, startWorld, type Cluster } from "./world.ts";

interface Kubeconfig {
  contexts: { name: string }[];
  clusters: object[];
  users: object[];
}

/** A world with two clusters, `staging` and `prod`; the current context is neither of them. */
export async function twoClusters(options: FakeEngineOptions = {}) {
  const world = await startWorld(options);
  const staging = await startCluster("staging", "registry-of-staging");
  const prod = await startCluster("prod", "registry-of-prod");
  const configs = [world, staging, prod].map(
    ({ api }) => JSON.parse(api.kubeconfig()) as Kubeconfig,
  );
  const merged = {
    ...configs[0],
    contexts: configs.flatMap(({ contexts }) => contexts),
    clusters: configs.flatMap(({ clusters }) => clusters),
    users: configs.flatMap(({ users }) => users),
  };
  await writeFile(world.kubeconfig, JSON.stringify(merged));
  return {
    ...{ world, staging, prod, merged },
    /** What the registries hold under a name, in the order of the contexts. */
    digests: (place: string) =>
      Promise.all([staging, prod].map(({ registry }) => digestOf(registry, place))),
    async [Symbol.asyncDispose]() {
      for (const one of [world, staging, prod]) await one[Symbol.asyncDispose]();
    },
  };
}

async function digestOf({ url }: Cluster["registry"], place: string) {
  const [repository = "", tag = ""] = place.split(":");
  const answer = await fetch(`${url}/v2/${repository}/manifests/${tag}`, { method: "HEAD" });
  return answer.ok ? answer.headers.get("docker-content-digest") : undefined;
}
