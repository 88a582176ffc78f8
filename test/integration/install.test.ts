import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import { runningPod } from "../../src/demo/pods.ts";
import { kubeStore, type KubeStore } from "../fakes/kube-store.ts";
import { startWorld, type World } from "../fakes/world.ts";

const namespace = "kpush-system";
const own = { "app.kubernetes.io/instance": "kpush" };
const labelsOf = (name: string) => ({ "app.kubernetes.io/name": name, ...own });

interface Cluster extends World {
  store: KubeStore;
  /** What was really written, as `METHOD KIND/NAME`. */
}

/** A cluster whose controllers and kubelets do at once what they are told. */
async function clusterWith(addresses = ["10.0.0.1"]): Promise<Cluster> {
  const world = await startWorld();
  const store = kubeStore(world.api);
  world.api.pods = [];
  for (const [index, address] of addresses.entries()) store.put(node(`node${index + 1}`, address));
  const isDefault = { "storageclass.kubernetes.io/is-default-class": "true" };
  store.put({
    apiVersion: "storage.k8s.io/v1",
    ...{ kind: "StorageClass", metadata: { name: "standard", annotations: isDefault } },
  });
  store.onChange = (type, object) => {
    if (type === "deleted") return;
    if (object.kind === "Deployment" || object.kind === "DaemonSet") roll(store, object);
    if (object.kind === "Pod") pull(store, object);
  };
  return Object.assign(world, { store });
}

const node = (name: string, address: string): KubeObject => ({
  ...{
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/os": "linux" } },
  },
  status: {
    nodeInfo: {
      ...{ containerRuntimeVersion: "containerd://2.1.0", operatingSystem: "linux" },
      architecture: "amd64",
    },
    addresses: [{ type: "InternalIP", address }],
    conditions: [{ type: "Ready", status: "True" }],
  },
});

/** Rolls a workload out at once; a Deployment gets its pod. */
function roll(store: KubeStore, object: KubeObject): void {
  const { name, generation } = object.metadata;
  const counts =
    object.kind === "Deployment"
      ? { replicas: 1, updatedReplicas: 1, availableReplicas: 1 }
      : { desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1 };
  store.put({ ...object, status: { observedGeneration: generation, ...counts } });
  const pod = runningPod({ namespace, name: `${name}-1`, labels: labelsOf(name) });
  store.put({ apiVersion: "v1", kind: "Pod", ...pod });
}

function pull(store: KubeStore, pod: KubeObject): void {
  const imageID = "localhost:5000/kpush/proof@sha256:1";
  store.put({
    ...pod,
    status: { phase: "Running", containerStatuses: [{ name: "proof", imageID, state: {} }] },
  });
}

describe("kpush install", () => {
  test("sets all up, proves it, and leaves nothing of the proof", async () => {
    await using world = await clusterWith();
    const { code, stdout, stderr } = await world.kpush(["install"]);
    expect(stderr).toMatch(/proof +pushed, read back, and pulled on node1/);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "localhost:5000\n" });
    const pods = world.api.pods.map(({ metadata }) => metadata.name);
    expect(pods).toEqual(["kpush-registry-1", "kpush-node-proxy-1"]);
    expect(stderr).not.toContain("warning");
  });

  test("again, writes nothing and lets the proof stand; --verify-nodes makes a new one", async () => {
    await using world = await clusterWith();
    await world.kpush(["install"]);
    world.store.requests.length = 0;
    const { code, stderr } = await world.kpush(["install"]);
    expect({ code, writes: world.store.writes() }).toEqual({ code: 0, writes: [] });
    expect(stderr).toContain("stands: nothing has changed since it was made");
    const again = await world.kpush(["install", "--verify-nodes", "1"]);
    expect(again.stderr).toContain("pulled on node1");
  });

  test("keeps the storage and the user that are installed, unless they are given", async () => {
    await using world = await clusterWith();
    await world.kpush(["install", "--storage", "emptydir", "--run-as-user", "0"]);
    world.store.requests.length = 0;
    expect(await world.kpush(["install"])).toMatchObject({ code: 0 });
    expect(world.store.writes()).toEqual([]);
    const moved = await world.kpush(["install", "--storage", "pvc", "--size", "1Gi"]);
    expect(moved.stderr).toContain("warning: the storage changes from emptydir to pvc");
    const claim = world.store.find("PersistentVolumeClaim", "kpush-registry-data", namespace);
    expect(claim?.["spec"]).toMatchObject({ resources: { requests: { storage: "1Gi" } } });
  });

  test("case 8: a dry run of the client's asks nothing, one of the server's changes nothing", async () => {
    await using world = await clusterWith();
    world.api.requests.length = 0;
    const client = await world.kpush(["install", "--dry-run"]);
    expect(client.code).toBe(0);
    expect(client.stderr).toMatch(/created +daemonset kpush-system\/kpush-node-proxy\n/);
    expect(world.api.requests).toEqual([]);
    const server = await world.kpush(["install", "--dry-run=server"]);
    expect(server.code).toBe(0);
    expect(server.stderr).toMatch(/dry run +nothing was changed/);
    expect(world.store.writes()).toEqual([]);
  });

  test("case 16: on IPv6-only nodes the proxies go on their own network, and listen on ::1", async () => {
    await using world = await clusterWith(["fd00::1"]);
    const { code, stderr } = await world.kpush(["install"]);
    expect(code).toBe(0);
    expect(stderr).toContain("no node has an IPv4 address");
    const proxies = world.store.find("DaemonSet", "kpush-node-proxy", namespace);
    expect(proxies?.["spec"]).toMatchObject({ template: { spec: { hostNetwork: true } } });
    const config = world.store.find("ConfigMap", "kpush-node-proxy", namespace);
    expect(JSON.stringify(config?.["data"])).toContain("[::1]:5000");
  });

  test("case 12: what would not work is told before anything is changed", async () => {
    await using world = await clusterWith();
    world.store.remove("StorageClass", "standard");
    const { code, stderr } = await world.kpush(["install"]);
    expect(code).toBe(4);
    expect(stderr).toMatch(/error: .*StorageClass/);
    expect(world.store.writes()).toEqual([]);
  });

  test("--wait=false ends when all is applied", async () => {
    await using world = await clusterWith();
    world.store.onChange = undefined;
    const { code, stderr } = await world.kpush(["install", "--wait=false"]);
    expect(code).toBe(0);
    expect(stderr).not.toContain("proof");
  });
});

describe("running it again", () => {
  test("has what is stuck tried at once, not when its turn comes", async () => {
    await using world = await clusterWith();
    await world.kpush(["install"]);
    const daemonSet = world.store.find("DaemonSet", "kpush-node-proxy", namespace);
    if (!daemonSet) throw new Error("there is no DaemonSet");
    const waiting = { reason: "ImagePullBackOff" };
    const containerStatuses = [{ name: "haproxy", state: { waiting } }];
    const stuck = runningPod({ namespace, name: "stuck", labels: labelsOf("kpush-node-proxy") });
    world.store.put({ apiVersion: "v1", kind: "Pod", ...stuck, status: { containerStatuses } });
    const counts = { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1 };
    const { generation } = daemonSet.metadata;
    world.store.put({ ...daemonSet, status: { observedGeneration: generation, ...counts } });
    world.store.requests.length = 0;
    const { code, stderr } = await world.kpush(["install", "--no-verify"]);
    expect(code, stderr).toBe(0);
    expect(world.store.writes()).toEqual([
      "PATCH daemonsets/kpush-node-proxy",
      "DELETE pods/stuck",
    ]);
  });

  test("starts the proxies anew where the Service is: they know it by its address", async () => {
    await using world = await clusterWith();
    await world.kpush(["install"]);
    world.store.remove("Service", "kpush-registry", namespace);
    world.store.requests.length = 0;
    expect((await world.kpush(["install", "--no-verify"])).code).toBe(0);
    expect(world.store.writes()).toEqual([
      "PATCH services/kpush-registry",
      "DELETE pods/kpush-node-proxy-1",
    ]);
  });
});
