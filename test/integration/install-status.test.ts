import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import type { Surroundings } from "../../src/cluster/types.ts";
import { runningPod } from "../../src/demo/pods.ts";
import { render } from "../../src/install/render/render.ts";
import { settingsOf } from "../../src/install/settings.ts";
import { status } from "../../src/install/status/status.ts";
import type { InstallOptions } from "../../src/install/types.ts";
import type { StatusResult } from "../../src/results.ts";
import { exitCode, serveExec, success } from "../fakes/exec.ts";
import { kubeStore, type KubeStore } from "../fakes/kube-store.ts";
import { nodeNamed } from "../fakes/kubelet.ts";
import { servePodProxy } from "../fakes/pod-proxy.ts";
import { startWorld, type World } from "../fakes/world.ts";

const kib = 1024;
const gib = 1024 ** 3;
const df = (free: number) =>
  `/dev/sdb ${(20 * gib) / kib} ${(20 * gib - free) / kib} ${free / kib} 1% /var/lib/registry\n`;

/** A cluster of two nodes with an installation that is well, unless something is done to it. */
interface Stage extends AsyncDisposable {
  world: World;
  store: KubeStore;
  status(namespace?: string, signal?: AbortSignal): Promise<StatusResult>;
}

async function stage(options: InstallOptions = {}): Promise<Stage> {
  const world = await startWorld();
  const store = kubeStore(world.api);
  const { namespace = "kpush-system" } = options;
  world.api.pods = [];
  for (const object of render(settingsOf(options))) store.put(object);
  for (const node of ["node1", "node2"]) store.put(nodeNamed(node));
  store.put(podOf("Deployment", store, namespace, "node1"));
  for (const node of ["node1", "node2"]) store.put(podOf("DaemonSet", store, namespace, node));
  const claim = store.find("PersistentVolumeClaim", "kpush-registry-data", namespace);
  const bound = { phase: "Bound", capacity: { storage: "20Gi" } };
  if (claim) store.put({ ...claim, status: bound });
  serveExec(world.api, () => ({ stdout: df(15 * gib), status: success }));
  return {
    ...{ world, store },
    status: (wanted, signal = new AbortController().signal) =>
      status(
        { namespace: wanted },
        { surroundings: surroundingsOf(world), report: () => undefined, signal },
        5_000,
      ),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

function surroundingsOf({ env, home }: World): Surroundings {
  const rest = { platform: "linux", pluginStdin: "ignore", pluginStderr: () => undefined } as const;
  return { env, home, cwd: home, ...rest };
}

/** A ready pod of the workload, with the template's labels and spec. */
function podOf(
  kind: "Deployment" | "DaemonSet",
  store: KubeStore,
  namespace: string,
  node: string,
) {
  const name = kind === "Deployment" ? "kpush-registry" : "kpush-node-proxy";
  const { template } = store.find(kind, name, namespace)?.["spec"] as {
    template: { metadata: { labels: Record<string, string> }; spec: object };
  };
  const { metadata, status: ready } = runningPod({ namespace, name: `${name}-${node}` });
  return {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: { ...metadata, ...template.metadata },
    spec: { ...template.spec, nodeName: node },
    status: ready,
  };
}

/** Answers such paths in the API server's place. */
function apiAnswers({ world }: Stage, part: string, answer: (response: ServerResponse) => void) {
  const before = world.api.onRequest;
  world.api.onRequest = (request, response) => {
    if (request.url?.includes(part) !== true) return before?.(request, response) ?? false;
    answer(response);
    return true;
  };
}

test("an installation that is well is told with all that belongs to it", async () => {
  await using cluster = await stage({ allowPush: ["group:devs"], nodePort: 5001 });
  expect(await cluster.status()).toEqual({
    context: "test",
    namespace: "kpush-system",
    healthy: true,
    problems: [],
    registry: {
      pod: "kpush-registry-node1",
      ready: true,
      image: "registry:3.1.1",
      version: "3.1.1",
    },
    storage: {
      kind: "pvc",
      claim: "kpush-registry-data",
      capacity: "20Gi",
      usedBytes: 5 * gib,
      freeBytes: 15 * gib,
    },
    proxies: [
      { node: "node1", ready: true },
      { node: "node2", ready: true },
    ],
    pullAddress: "localhost:5001",
    mayPush: ["group:devs"],
  });
  expect(cluster.world.registry.requests).toEqual(["GET /v2/"]);
});

test.for(["kube-system", "default"])("one in %s is found without a word", async (namespace) => {
  await using cluster = await stage({ namespace });
  expect(await cluster.status()).toMatchObject({ namespace, healthy: true });
});

test("one in another namespace is found by its name alone", async () => {
  await using cluster = await stage({ namespace: "team" });
  await expect(cluster.status()).rejects.toMatchObject({ code: "NOT_INSTALLED" });
  expect(await cluster.status("team")).toMatchObject({ namespace: "team", healthy: true });
});

test("what kpush did not make is no installation, and it is said where pushes go", async () => {
  await using cluster = await stage();
  const deployment = cluster.store.find("Deployment", "kpush-registry", "kpush-system");
  cluster.store.remove("Deployment", "kpush-registry", "kpush-system");
  if (deployment)
    cluster.store.put({ ...deployment, metadata: { ...deployment.metadata, labels: {} } });
  await expect(cluster.status()).rejects.toMatchObject({
    code: "NOT_INSTALLED",
    exitCode: 5,
    message: expect.stringContaining(
      "pushes go to pod kpush-system/kpush-registry-node1",
    ) as string,
  });
});

test("an empty cluster has the hint to install", async () => {
  await using cluster = await stage({ namespace: "team" });
  await expect(cluster.status("default")).rejects.toMatchObject({
    code: "NOT_INSTALLED",
    hint: expect.stringContaining("kpush install") as string,
  });
});

test("who may not look at Deployments reads which right that takes", async () => {
  await using cluster = await stage();
  cluster.world.api.allow = (_verb, resource) => resource !== "deployments";
  await expect(cluster.status()).rejects.toMatchObject({
    code: "CLUSTER_FORBIDDEN",
    hint: expect.stringContaining("--clusterrole=view") as string,
  });
});

test("what may not be read is left out, and is no fault of the installation", async () => {
  await using cluster = await stage({ allowPush: ["group:devs"] });
  const closed = ["nodes", "rolebindings", "persistentvolumeclaims"];
  cluster.world.api.allow = (_verb, resource) => !closed.includes(resource);
  expect(await cluster.status()).toMatchObject({
    healthy: true,
    storage: { claim: "kpush-registry-data", capacity: undefined },
    proxies: [{ node: "node1" }, { node: "node2" }],
    mayPush: undefined,
  });
});

test("a registry that is ready but does not answer through the tunnel is not healthy", async () => {
  await using cluster = await stage();
  cluster.world.registry.onRequest = (_request, response) => {
    response.writeHead(404).end();
    return true;
  };
  const { healthy, registry, problems } = await cluster.status();
  expect({ healthy, ready: registry.ready }).toEqual({ healthy: false, ready: true });
  expect(problems).toEqual([
    {
      message: expect.stringMatching(/^no push reaches the registry: .*knows no \/v2\//) as string,
      hint: expect.any(String) as string,
    },
  ]);
});

test("where only the proxy to pods is allowed, the registry is asked by it", async () => {
  await using cluster = await stage();
  const { world } = cluster;
  const before = world.api.onRequest;
  const proxied = servePodProxy(world.api, world.registry.port);
  const serve = world.api.onRequest;
  world.api.onRequest = (...exchange) => serve?.(...exchange) || (before?.(...exchange) ?? false);
  world.api.allow = (_verb, resource) => resource !== "pods/portforward";
  expect(await cluster.status()).toMatchObject({ healthy: true, problems: [] });
  expect(proxied.requests).toEqual(["GET /v2/"]);
});

test("without a right to either it is not known whether the registry answers", async () => {
  await using cluster = await stage();
  cluster.world.api.allow = (_verb, resource) =>
    resource !== "pods/portforward" && resource !== "pods/proxy";
  const { healthy, problems } = await cluster.status();
  expect(healthy).toBe(false);
  expect(problems).toMatchObject([{ message: expect.stringContaining("you may not") as string }]);
});

test("a registry that is silent ends the wait", async () => {
  await using cluster = await stage();
  cluster.world.registry.onRequest = () => true;
  const { surroundings, report, signal } = {
    surroundings: surroundingsOf(cluster.world),
    report: () => undefined,
    signal: new AbortController().signal,
  };
  const { problems } = await status({}, { surroundings, report, signal }, 200);
  expect(problems).toMatchObject([
    { message: "no push reaches the registry: nothing came within 0 s" },
  ]);
});

test("a missing claim, a claim without a volume and a full volume are problems", async () => {
  await using cluster = await stage();
  const name = "kpush-registry-data";
  const claim = cluster.store.find("PersistentVolumeClaim", name, "kpush-system");
  if (claim) cluster.store.put({ ...claim, status: { phase: "Pending" } });
  expect((await cluster.status()).problems).toMatchObject([
    { message: `the claim ${name} is not bound to a volume: Pending` },
  ]);
  cluster.store.remove("PersistentVolumeClaim", name, "kpush-system");
  expect((await cluster.status()).problems).toMatchObject([
    { message: `the claim ${name} is not there` },
  ]);
  if (claim) cluster.store.put(claim);
  serveExec(cluster.world.api, () => ({ stdout: df(kib), status: success }));
  expect((await cluster.status()).problems).toMatchObject([
    { message: "the registry's volume is full: nothing is left" },
  ]);
});

test("without node proxies there are none to be ready", async () => {
  await using cluster = await stage();
  for (const node of ["node1", "node2"])
    cluster.store.remove("Pod", `kpush-node-proxy-${node}`, "kpush-system");
  cluster.store.remove("DaemonSet", "kpush-node-proxy", "kpush-system");
  expect(await cluster.status()).toMatchObject({ healthy: true, proxies: undefined });
});

test("the kubelet's statistics of a volume are taken before a command is run for them", async () => {
  await using cluster = await stage();
  const commands: string[][] = [];
  serveExec(cluster.world.api, (command) => (commands.push(command), { status: success }));
  const volume = { name: "data", usedBytes: 7, availableBytes: 3 * gib, capacityBytes: 20 * gib };
  const pod = cluster.store.find("Pod", "kpush-registry-node1", "kpush-system");
  apiAnswers(cluster, "/nodes/node1/proxy/stats/summary", (response) =>
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ pods: [{ podRef: { uid: pod?.metadata.uid }, volume: [volume] }] })),
  );
  expect((await cluster.status()).storage).toMatchObject({ usedBytes: 7, freeBytes: 3 * gib });
  expect(commands).toEqual([]);
  // A file system that is far larger than the claim holds more than the registry's images.
  volume.capacityBytes = 100 * gib;
  await cluster.status();
  expect(commands).toEqual([
    ["sh", "-c", expect.any(String), "sh", "/var/lib/registry", "26214400"],
  ]);
});

test.for<[string, Parameters<typeof serveExec>[1]]>([
  ["a command that is not there", () => ({ status: exitCode(127) })],
  ["a runtime that cannot run it", () => ({ status: { status: "Failure", message: "no sh" } })],
  ["a connection that is cut", () => ({})],
  [
    "a user who may not",
    () => ({ refuse: 403, body: { kind: "Status", reason: "Forbidden", message: "pods/exec" } }),
  ],
])("%s leaves the use of the volume unknown, and nothing worse", async ([, run]) => {
  await using cluster = await stage();
  serveExec(cluster.world.api, run);
  const { healthy, storage } = await cluster.status();
  expect(healthy).toBe(true);
  expect(storage).toMatchObject({ usedBytes: undefined, freeBytes: undefined, capacity: "20Gi" });
});

test("an emptyDir is counted by its files", async () => {
  await using cluster = await stage({ storage: "emptydir" });
  serveExec(cluster.world.api, ([, , , , , most]) => ({
    stdout: `${df(9 * gib)}${most === "0" ? "12\t/var/lib/registry\n" : ""}`,
    status: success,
  }));
  expect((await cluster.status()).storage).toMatchObject({
    kind: "emptydir",
    claim: undefined,
    usedBytes: 12 * kib,
    freeBytes: 9 * gib,
  });
});

test("an interruption is passed on", async () => {
  await using cluster = await stage();
  const interrupt = new AbortController();
  cluster.world.registry.onRequest = () => {
    interrupt.abort(new Error("interrupted"));
    return true;
  };
  await expect(cluster.status(undefined, interrupt.signal)).rejects.toThrow("interrupted");
});
