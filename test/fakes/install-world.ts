import type { KubeObject } from "../../src/cluster/objects.ts";
import type { Cluster } from "../../src/cluster/types.ts";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import type { KpushEvent } from "../../src/events.ts";
import { applyObjects } from "../../src/install/apply/apply.ts";
import { planObjects } from "../../src/install/apply/plan.ts";
import { render } from "../../src/install/render/render.ts";
import { settingsOf } from "../../src/install/settings.ts";
import type { InstallOptions, InstallRun, PlannedObject } from "../../src/install/types.ts";
import type { ObjectResult } from "../../src/results.ts";
import { kubeHome, type KubeHome } from "./kube-home.ts";
import { kubeStore, type KubeStore } from "./kube-store.ts";

export const never = new AbortController().signal;

/** A cluster with objects, to install into. */
export interface InstallWorld extends AsyncDisposable {
  api: ApiServer;
  store: KubeStore;
  cluster: Cluster;
  home: KubeHome;
  events: KpushEvent[];
  plan(objects: readonly KubeObject[], run?: InstallRun): Promise<PlannedObject[]>;
  apply(planned: readonly PlannedObject[], run?: InstallRun): Promise<ObjectResult[]>;
  /** Plans and applies. */
  install(objects?: readonly KubeObject[], run?: InstallRun): Promise<ObjectResult[]>;
}

/** What is rendered for these options, in kpush-system. */
export const rendered = (options: InstallOptions = {}): KubeObject[] => render(settingsOf(options));

export async function installWorld(): Promise<InstallWorld> {
  const api = await startApiServer({ dial: () => Promise.reject(new Error("no pods")) });
  const store = kubeStore(api);
  const home = await kubeHome();
  await home.writeKubeconfig(api, { user: { token: api.token } });
  const cluster = await home.open();
  const events: KpushEvent[] = [];
  const context = { report: (event: KpushEvent) => events.push(event), signal: never };
  const world: InstallWorld = {
    ...{ api, store, cluster, home, events },
    plan: (objects, run = {}) => planObjects(cluster, objects, run, never),
    apply: (planned, run = {}) => applyObjects(cluster, planned, run, context, { interval: 1 }),
    install: async (objects = rendered(), run = {}) =>
      world.apply(await world.plan(objects, run), run),
    async [Symbol.asyncDispose]() {
      cluster[Symbol.dispose]();
      await api[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
  return world;
}
