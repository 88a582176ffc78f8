import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCluster } from "../../src/cluster/open.ts";
import type { Surroundings } from "../../src/cluster/types.ts";
import { startApiServer } from "../../src/demo/api-server.ts";
import { runningPod } from "../../src/demo/pods.ts";
import { startRegistry } from "../../src/demo/registry.ts";
import type { KpushEvent } from "../../src/events.ts";
import { reachRegistry } from "../../src/push/session.ts";
import { registryLabels } from "../fakes/world.ts";

/** A registry's pod at an address of this machine, and a session as a process in the cluster opens it. */
async function inside({
  ip = "127.0.0.1",
  port,
  within = true,
}: { ip?: string; port?: number; within?: boolean } = {}) {
  const home = await mkdtemp(join(tmpdir(), "kpush-inside-"));
  const registry = await startRegistry();
  const at = port ?? registry.port;
  const pod = runningPod({
    ...{ namespace: "kpush-system", name: "kpush-registry-1", labels: registryLabels, port: at },
  });
  pod.status["podIP"] = ip;
  const api = await startApiServer({
    dial: () => Promise.resolve(connect(registry.port, "127.0.0.1")),
    pods: [pod],
    closeDelay: 5,
  });
  const serviceAccount = join(home, "serviceaccount");
  await mkdir(serviceAccount);
  await writeFile(join(serviceAccount, "token"), api.token);
  await writeFile(join(serviceAccount, "ca.crt"), api.certificate);
  await writeFile(join(home, "kubeconfig"), api.kubeconfig());
  const env: Record<string, string> = within
    ? { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(api.port) }
    : { KUBECONFIG: join(home, "kubeconfig") };
  const surroundings: Surroundings = {
    ...{ env, home, cwd: home, platform: "linux" },
    ...{ pluginStdin: "ignore", pluginStderr: () => undefined },
  };
  const { signal } = new AbortController();
  const events: KpushEvent[] = [];
  const report = (event: KpushEvent) => void events.push(event);
  const cluster = await openCluster({}, surroundings, report, signal, { serviceAccount });
  const session = await reachRegistry(
    cluster,
    { registryPort: String(at) },
    { surroundings, report, signal },
  );
  const upgrades = () => api.requests.filter((request) => request.includes("/portforward"));
  return {
    ...{ api, registry, session, cluster, events, upgrades },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      cluster[Symbol.dispose]();
      await api[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** A port that nothing listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

test("inside the cluster the pod itself is dialled", async () => {
  await using world = await inside();
  await world.session.registry.ping();
  expect(world.cluster.inside).toBe(true);
  expect(world.upgrades()).toEqual([]);
});

test("outside of it a pod's address may be anybody's, and is never dialled", async () => {
  await using world = await inside({ within: false });
  await world.session.registry.ping();
  expect(world.upgrades().length).toBeGreaterThan(0);
});

test.for([
  ["refuses the connection", { ip: "127.0.0.1" }],
  ["has no address", { ip: "" }],
  ["has nonsense for an address", { ip: "evil.example" }],
])("a pod that %s is reached by a port-forward", async ([, where]) => {
  const port = await closedPort();
  await using world = await inside({ ...(where as { ip: string }), port });
  await world.session.registry.ping();
  expect(world.upgrades().length).toBeGreaterThan(0);
});

test("a pod that was replaced is dialled at its new address", async () => {
  const port = await closedPort();
  await using world = await inside({ port });
  const [old] = world.api.pods;
  const next = runningPod({
    ...{ namespace: "kpush-system", name: "kpush-registry-2", labels: registryLabels },
    port: world.registry.port,
  });
  next.spec["containers"] = old?.spec["containers"];
  next.status["podIP"] = "127.0.0.2";
  world.api.pods = [next];
  const second = createServer((socket) => {
    const onward = connect(world.registry.port, "127.0.0.1");
    socket.pipe(onward).pipe(socket);
    for (const one of [socket, onward]) one.on("error", () => undefined);
  }).listen(port, "127.0.0.2");
  await once(second, "listening");
  try {
    await world.session.registry.ping();
    expect(world.session.pod.name).toBe("kpush-registry-2");
    expect(world.upgrades()).toEqual([]);
  } finally {
    await world.session[Symbol.asyncDispose]();
    second.close();
  }
});
