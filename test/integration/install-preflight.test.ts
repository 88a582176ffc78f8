import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import type { Cluster } from "../../src/cluster/types.ts";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import { preflight, type Known, type Preflight } from "../../src/install/preflight/preflight.ts";
import { settingsOf } from "../../src/install/settings.ts";
import type { InstallOptions } from "../../src/install/types.ts";
import { kubeHome, type KubeHome } from "../fakes/kube-home.ts";
import { kubeStore, type KubeStore } from "../fakes/kube-store.ts";
import { namespace, node, portPod, storageClass } from "../unit/install/preflight-objects.ts";

interface Scene extends AsyncDisposable {
  api: ApiServer;
  store: KubeStore;
  home: KubeHome;
  cluster: Cluster;
  check(options?: InstallOptions, known?: Partial<Known>): Promise<Preflight>;
}

const isDefault = { "storageclass.kubernetes.io/is-default-class": "true" };

/** A cluster of one node with a default StorageClass, and these objects besides. */
async function scene(...objects: KubeObject[]): Promise<Scene> {
  const api = await startApiServer({ dial: () => Promise.reject(new Error("nothing to dial")) });
  const store = kubeStore(api);
  const labels = { "kubernetes.io/os": "linux" };
  for (const object of [node("node1", { labels }), storageClass("fast", isDefault), ...objects])
    store.put(object);
  const home = await kubeHome();
  await home.writeKubeconfig(api, { user: { token: api.token } });
  const cluster = await home.open();
  const report = (event: (typeof home.events)[number]) => home.events.push(event);
  return {
    ...{ api, store, home, cluster },
    check: (options = {}, known = {}) =>
      preflight(
        cluster,
        settingsOf(options),
        { live: [], ...known },
        { report, signal: new AbortController().signal },
      ),
    async [Symbol.asyncDispose]() {
      cluster[Symbol.dispose]();
      await api[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

const warningsOf = ({ home }: Scene) => home.events.filter(({ type }) => type === "warning");

test("a cluster that is well is looked at, and nothing is said or changed", async () => {
  await using here = await scene();
  expect(await here.check()).toMatchObject({
    ...{ ipv6Only: false, warnings: [] },
    nodes: [{ name: "node1", runtime: "containerd://2.1.9", schedulable: true, linux: true }],
  });
  expect(warningsOf(here)).toEqual([]);
  expect(here.store.requests.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual([
    "GET /api/v1/nodes",
    "GET /api/v1/pods",
    "GET /apis/apps/v1/namespaces/kube-system/deployments",
    "GET /apis/storage.k8s.io/v1/storageclasses",
  ]);
});

describe("before anything is changed, kpush refuses", () => {
  test.for<[string, KubeObject[], InstallOptions, RegExp]>([
    [
      "case 12: a class that is not there",
      [],
      { storageClass: "slow" },
      /^StorageClass slow is not there \(there are fast\)/,
    ],
    [
      "a claim that is not there",
      [],
      { storage: "claim:mine" },
      /^there is no claim mine in namespace kpush-system/,
    ],
    [
      "case 14: a port that is taken",
      [portPod("x")],
      {},
      /^port 5000 of the nodes is taken by pod other\/x$/,
    ],
    ["labels that no node has", [], { nodeSelector: ["disk=ssd"] }, /^no node has the labels/],
    [
      "Pod Security of a namespace that is not kpush's",
      [namespace("kube-system", { "pod-security.kubernetes.io/enforce": "baseline" })],
      { namespace: "kube-system" },
      /^namespace kube-system has the label/,
    ],
  ])("%s", async ([, objects, options, message]) => {
    await using here = await scene(...objects);
    await expect(here.check(options)).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: expect.stringMatching(message) as string,
    });
  });

  test("a port that a pod on the list's second page has", async () => {
    await using here = await scene();
    const serve = here.api.onRequest;
    here.api.onRequest = (request, response) => {
      if (!request.url?.startsWith("/api/v1/pods?")) return serve?.(request, response) ?? false;
      const isFirst = !request.url.includes("continue=more");
      const metadata = isFirst ? { continue: "more" } : {};
      response.end(JSON.stringify({ metadata, items: isFirst ? [] : [portPod("late")] }));
      return true;
    };
    await expect(here.check()).rejects.toMatchObject({
      message: "port 5000 of the nodes is taken by pod other/late",
    });
  });
});

test("a port that is taken on a node without a proxy is of no concern", async () => {
  const labels = { "kubernetes.io/os": "linux", disk: "ssd" };
  await using here = await scene(portPod("x"), node("node2", { labels }));
  await here.check({ nodeSelector: ["disk=ssd"] });
});

test("case 15: what should be known is reported and told", async () => {
  const labels = { "kubernetes.io/os": "linux" };
  await using here = await scene(
    node("node2", { runtime: "cri-o://1.35.0", labels }),
    registryIn("kpush-system"),
  );
  const { warnings } = await here.check({ namespace: "images" });
  expect(warnings.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^CRI-O 1.35 and later .*: node2$/),
    expect.stringMatching(/^there is a kpush registry in namespace kpush-system already/),
  ]);
  expect(warningsOf(here)).toEqual(warnings.map((warning) => ({ type: "warning", ...warning })));
});

test("case 16: nodes with IPv6 addresses alone are told, and looked at for what hostnetwork takes", async () => {
  const labels = { "kubernetes.io/os": "linux" };
  const listener = { ports: [{ containerPort: 80, hostPort: 5000, hostIP: "::1" }] };
  await using here = await scene(node("node1", { labels, addresses: ["fd00::1"] }));
  expect(await here.check()).toMatchObject({ ipv6Only: true });
  here.store.put(portPod("x", listener));
  await expect(here.check()).rejects.toMatchObject({ code: "INSTALL_REFUSED" });
});

test("what the user may not list is passed over", async () => {
  await using here = await scene(portPod("x"));
  here.api.allow = () => false;
  expect(await here.check({ storage: "claim:mine" })).toEqual({
    ...{ nodes: undefined, ipv6Only: false, warnings: [] },
  });
  expect(here.home.events.filter(({ type }) => type !== "debug")).toEqual([]);
});

test("where all proxies of ours run, pods need not be listed, nor classes where there is a claim", async () => {
  await using here = await scene(portPod("x"));
  const ours = {
    ...{ apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "kpush-node-proxy" } },
    spec: { template: { spec: { containers: [{ ports: [{ hostPort: 5000 }] }] } } },
    status: { desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1 },
  };
  const claim = {
    ...{ apiVersion: "v1", kind: "PersistentVolumeClaim" },
    metadata: { name: "kpush-registry-data" },
  };
  await here.check({}, { live: [ours, claim] });
  expect(here.store.requests.map(({ path }) => path)).not.toContain("/api/v1/pods");
  expect(here.store.requests.map(({ path }) => path).join()).not.toContain("storageclasses");
  await expect(here.check({ nodePort: 5001 }, { live: [ours, claim] })).resolves.toBeDefined();
  expect(here.store.requests.map(({ path }) => path)).toContain("/api/v1/pods");
});

test("the old addon's proxies are no trouble where it is replaced", async () => {
  const addon = { namespace: "kube-system", labels: { "k8s-app": "kube-registry-proxy" } };
  await using here = await scene(portPod("x", addon));
  await expect(here.check()).rejects.toMatchObject({
    hint: expect.stringContaining("--replace-addon") as string,
  });
  await here.check({}, { replaceAddon: true });
});

const registryIn = (inside: string): KubeObject => ({
  ...{ apiVersion: "apps/v1", kind: "Deployment" },
  metadata: {
    ...{ name: "kpush-registry", namespace: inside },
    labels: { "app.kubernetes.io/name": "kpush-registry", "app.kubernetes.io/instance": "kpush" },
  },
});
