import { homedir } from "node:os";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import { openCluster } from "../../../src/cluster/open.ts";
import type { Cluster, ClusterOptions, Surroundings } from "../../../src/cluster/types.ts";
import type { KpushEvent } from "../../../src/events.ts";
import { applyObjects } from "../../../src/install/apply/apply.ts";
import { planObjects } from "../../../src/install/apply/plan.ts";
import { render } from "../../../src/install/render/render.ts";
import { settingsOf } from "../../../src/install/settings.ts";
import type { InstallOptions, InstallRun, PlannedObject } from "../../../src/install/types.ts";
import type { ObjectResult } from "../../../src/results.ts";
import { kubeconfig } from "./environment.ts";
import { kubectl } from "./kubectl.ts";

const never = new AbortController().signal;

const surroundings: Surroundings = {
  ...{ env: process.env, home: homedir(), cwd: process.cwd(), platform: process.platform },
  ...{ pluginStdin: "ignore", pluginStderr: () => undefined },
};

/** What a use case needs besides its options; what it reports is kept. */
export function testContext() {
  const events: KpushEvent[] = [];
  const report = (event: KpushEvent) => events.push(event);
  return { surroundings, report, signal: never, events };
}

export function openTestCluster(options: ClusterOptions = {}): Promise<Cluster> {
  return openCluster({ kubeconfig, ...options }, surroundings, () => undefined, never);
}

/** An installation in a namespace of its own, which is deleted in the end. */
export interface Scene extends AsyncDisposable {
  readonly namespace: string;
  objects(options?: InstallOptions): KubeObject[];
  plan(objects: KubeObject[], run?: InstallRun): Promise<PlannedObject[]>;
  /** Plans and applies; resolves with what became of each object, by kind and name. */
  apply(objects: KubeObject[], run?: InstallRun, signal?: AbortSignal): Promise<Outcome>;
  /** Waits until the proxies and the registry run: what is only starting takes long to stop. */
  ready(): Promise<void>;
  /** An object as it is. */
  live(resource: string): Promise<KubeObject>;
  /** Runs kubectl in the namespace. */
  kubectl(...args: string[]): Promise<string>;
}

export type Outcome = Record<string, ObjectResult["action"]>;

/** Of the nodes; a namespace that is on its way out still has its own. */
let nextPort = 5480;

/** Waits for what an earlier run left of the namespace, should it be on its way still. */
export async function installScene(cluster: Cluster, name: string): Promise<Scene> {
  const namespace = `kpush-e2e-${name}`;
  await kubectl(["wait", "--for=delete", `namespace/${namespace}`, "--timeout=90s"]);
  const nodePort = nextPort++;
  const inside = (...args: string[]) => kubectl(["-n", namespace, ...args]);
  const plan: Scene["plan"] = (objects, run = {}) => planObjects(cluster, objects, run, never);
  return {
    namespace,
    plan,
    objects: (options = {}) =>
      render(
        settingsOf({
          namespace,
          ...(options.storage === undefined ? { size: "1Gi" } : {}),
          ...(options.nodeAccess === "none" ? {} : { nodePort }),
          ...options,
        }),
      ),
    async apply(objects, run = {}, signal = never) {
      const context = { report: () => undefined, signal };
      const planned = await plan(objects, run);
      return outcomeOf(await applyObjects(cluster, planned, run, context, { interval: 100 }));
    },
    async ready() {
      await inside("rollout", "status", "daemonset/kpush-node-proxy", "--timeout=120s");
      await inside("rollout", "status", "deployment/kpush-registry", "--timeout=120s");
    },
    live: async (resource) => JSON.parse(await inside("get", resource, "-o", "json")) as KubeObject,
    kubectl: inside,
    async [Symbol.asyncDispose]() {
      await kubectl(["delete", "namespace", namespace, "--ignore-not-found", "--wait=false"]);
    },
  };
}

/** What became of each object, by kind and name. */
export function outcomeOf(results: readonly ObjectResult[]): Outcome {
  return Object.fromEntries(results.map(({ kind, name, action }) => [`${kind}/${name}`, action]));
}
