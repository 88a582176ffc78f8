import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import type { Surroundings } from "../../src/cluster/types.ts";
import type { KpushEvent } from "../../src/events.ts";
import { prove, type ProofOptions, type ProofRun } from "../../src/install/prove/prove.ts";
import { isUnwritable } from "../../src/install/prove/unwritable.ts";
import { openSession, type Session } from "../../src/push/session.ts";
import { kubeStore, type KubeStore } from "../fakes/kube-store.ts";
import { nodeNamed, pulled, runKubelets, waiting, type Kubelet } from "../fakes/kubelet.ts";
import { startWorld, type World } from "../fakes/world.ts";

const namespace = "kpush-system";
const refused = "dial tcp 127.0.0.1:5000: connect: connection refused";

/** A cluster of two nodes with a registry, and a proof in it. */
interface Stage extends AsyncDisposable {
  world: World;
  store: KubeStore;
  events: KpushEvent[];
  interrupt: AbortController;
  prove(options?: Partial<ProofOptions>, run?: Partial<ProofRun>): ReturnType<typeof prove>;
  /** What proofs have left: names of pods, and how much of images. */
  left(): { pods: string[]; manifests: number; blobs: number };
}

async function stage(kubelet: Kubelet = () => pulled, nodes = ["node1", "node2"]): Promise<Stage> {
  const world = await startWorld();
  const store = kubeStore(world.api);
  store.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  for (const node of nodes) store.put(nodeNamed(node));
  runKubelets(store, kubelet);
  const events: KpushEvent[] = [];
  const interrupt = new AbortController();
  const report = (event: KpushEvent) => void events.push(event);
  const open = (signal: AbortSignal): Promise<Session> =>
    openSession({ namespace }, { surroundings: surroundingsOf(world), report, signal });
  const session = await open(interrupt.signal);
  const { signal } = interrupt;
  const timings = { interval: 1, settle: 20, timeout: 60_000, cleaning: 5_000 };
  return {
    ...{ world, store, events, interrupt },
    prove: (options, run) =>
      prove(
        session.cluster,
        session,
        { namespace, pullAddress: "localhost:5000", nodes: "all", ...options },
        { report, signal, reopen: open, ...timings, ...run },
      ),
    left() {
      const { manifests, blobs } = world.registry.store.repository("kpush/proof");
      const pods = world.api.pods.map(({ metadata }) => metadata.name);
      return {
        pods: pods.filter((name) => name.startsWith("kpush-proof")),
        manifests: manifests.size,
        blobs: blobs.size,
      };
    },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

function surroundingsOf({ env, home }: World): Surroundings {
  const rest = { platform: "linux", pluginStdin: "ignore", pluginStderr: () => undefined } as const;
  return { env, home, cwd: home, ...rest };
}

const nothing = { pods: [], manifests: 0, blobs: 0 };
const warnings = ({ events }: Stage) =>
  events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
const created = ({ store }: Stage) =>
  store.requests.filter(({ method, path }) => method === "POST" && path.endsWith("/pods")).length;

/** Answers such requests in the registry's place. */
function registryAnswers(
  { world }: Stage,
  match: (request: IncomingMessage) => boolean,
  answer: (response: ServerResponse) => void,
): void {
  world.registry.onRequest = (request, response) => {
    if (!match(request)) return false;
    request.resume();
    answer(response);
    return true;
  };
}

test("an image is pushed, read back and pulled on every node, and nothing of it stays", async () => {
  const served: boolean[] = [];
  await using cluster = await stage(() => {
    const { tags, manifests } = cluster.world.registry.store.repository("kpush/proof");
    const [digest = ""] = tags.values();
    served.push(manifests.has(digest));
    return pulled;
  });
  const proof = await cluster.prove();
  expect(proof).toEqual({
    digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
    nodes: ["node1", "node2"],
  });
  expect(served).toEqual([true, true]);
  expect(cluster.left()).toEqual(nothing);
  expect(cluster.events.filter(({ type }) => type === "progress" || type === "step")).toEqual([
    { type: "progress", label: "proof", text: "pushing a small image" },
    { type: "progress", label: "proof", text: "0 of 2 pulled it" },
    { type: "progress", label: "proof", text: "2 of 2 pulled it" },
    {
      type: "step",
      label: "proof",
      text: expect.stringMatching(
        /^pushed, read back, and pulled on 2 nodes, \d+\.\d s$/,
      ) as string,
    },
  ]);
});

test("a container that cannot be made of the image was pulled all the same", async () => {
  await using cluster = await stage(() => waiting("CreateContainerError", "exec format error"));
  expect((await cluster.prove()).nodes).toEqual(["node1", "node2"]);
});

test("a node that fails at first, as its proxy is not up yet, gets another pod", async () => {
  await using cluster = await stage((node, number) =>
    node === "node2" && number === 1 ? waiting("ErrImagePull", refused) : pulled,
  );
  expect((await cluster.prove()).nodes).toEqual(["node1", "node2"]);
  expect(created(cluster)).toBe(3);
  expect(cluster.left()).toEqual(nothing);
});

test("a node that cannot pull is named, with its cause and what helps", async () => {
  await using cluster = await stage((node) =>
    node === "node2" ? waiting("ErrImagePull", refused) : pulled,
  );
  await expect(cluster.prove({}, { attempts: 2 })).rejects.toMatchObject({
    code: "NODE_PULL_FAILED",
    message: expect.stringMatching(
      /^node2 cannot pull localhost:5000\/kpush\/proof:\w+: dial .* refused; one other node did$/,
    ) as string,
    hint: expect.stringContaining("--node-access hostnetwork") as string,
  });
  expect(created(cluster)).toBe(3);
  expect(cluster.left()).toEqual(nothing);
});

test("a node that failed is told although another one never ends", async () => {
  await using cluster = await stage((node) =>
    node === "node2" ? waiting("ErrImagePull", refused) : waiting("ContainerCreating"),
  );
  await expect(cluster.prove({}, { attempts: 1 })).rejects.toMatchObject({
    code: "NODE_PULL_FAILED",
    message: expect.stringMatching(/^node2 cannot pull/) as string,
  });
});

test("a pull that does not end in time names the node, and what its pod waits for", async () => {
  await using cluster = await stage(() => waiting("ContainerCreating"), ["node1"]);
  cluster.store.admit = ({ next }) => {
    if (next?.kind !== "Pod") return undefined;
    cluster.store.put({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "e1", namespace },
      involvedObject: { kind: "Pod", name: next.metadata.name },
      reason: "FailedMount",
      message: "no volume",
    });
    return undefined;
  };
  await expect(cluster.prove({}, { timeout: 20 })).rejects.toMatchObject({
    code: "TIMEOUT",
    message: expect.stringMatching(/^node1 did not pull .* FailedMount: no volume$/) as string,
  });
  expect(cluster.left()).toEqual(nothing);
});

test("a full node is passed over with a warning", async () => {
  const full = { phase: "Failed", reason: "OutOfpods", message: "Node didn't have enough pods" };
  await using cluster = await stage((node) => (node === "node1" ? full : pulled));
  expect((await cluster.prove()).nodes).toEqual(["node2"]);
  expect(warnings(cluster)).toEqual([expect.stringMatching(/node1: OutOfpods/)]);
});

test("a node that is not ready is passed over with a warning", async () => {
  await using cluster = await stage();
  cluster.store.put(nodeNamed("node3", false));
  expect((await cluster.prove()).nodes).toEqual(["node1", "node2"]);
  expect(warnings(cluster)).toEqual([expect.stringMatching(/node3: not ready/)]);
});

test.for<[ProofOptions["nodes"], string[]]>([
  ["none", []],
  [0, []],
  [1, ["node1"]],
  [5, ["node1", "node2"]],
])("with %s nodes a pull is proved on %j", async ([nodes, expected]) => {
  await using cluster = await stage();
  expect((await cluster.prove({ nodes })).nodes).toEqual(expected);
  expect(created(cluster)).toBe(expected.length);
});

/** A node proxy's pod, as the DaemonSet makes it. */
const proxyOn = (node: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: `kpush-node-proxy-${node}`,
    namespace,
    labels: { "app.kubernetes.io/name": "kpush-node-proxy", "app.kubernetes.io/instance": "kpush" },
  },
  spec: { nodeName: node, containers: [] },
  status: {},
});

test("where only some nodes have a proxy, these alone are asked", async () => {
  await using cluster = await stage();
  cluster.store.put(proxyOn("node2"));
  expect((await cluster.prove()).nodes).toEqual(["node2"]);
});

test("without the right to list nodes, the nodes of the proxies are asked", async () => {
  await using cluster = await stage();
  cluster.store.put(proxyOn("node2"));
  cluster.world.api.allow = (_verb, resource) => resource !== "nodes";
  expect((await cluster.prove()).nodes).toEqual(["node2"]);
});

test("without the right to list nodes, and without proxies, the push alone is proved", async () => {
  await using cluster = await stage();
  cluster.world.api.allow = (_verb, resource) => resource !== "nodes";
  expect((await cluster.prove()).nodes).toEqual([]);
  expect(warnings(cluster)).toEqual([expect.stringMatching(/may not list nodes/)]);
});

test("pods that a rule of the cluster refuses are told as refused by the cluster", async () => {
  await using cluster = await stage();
  const message = 'pods "p" is forbidden: exceeded quota: q, requested: pods=1';
  cluster.store.admit = ({ next }) =>
    next?.kind === "Pod" ? { status: 403, reason: "Forbidden", message } : undefined;
  await expect(cluster.prove()).rejects.toMatchObject({
    code: "INSTALL_REFUSED",
    message: expect.stringContaining("exceeded quota: q") as string,
    hint: expect.stringContaining("--no-verify") as string,
  });
  expect(cluster.left()).toEqual(nothing);
});

test("pods that the user may not create are told as that", async () => {
  await using cluster = await stage();
  cluster.world.api.allow = (verb, resource) => resource !== "pods" || verb !== "create";
  await expect(cluster.prove()).rejects.toMatchObject({
    code: "CLUSTER_FORBIDDEN",
    hint: expect.stringContaining("--no-verify") as string,
  });
  expect(cluster.left()).toEqual(nothing);
});

test.for([
  [
    "distribution 3.1",
    '{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"filesystem: mkdir /var/lib/registry/docker: permission denied"}]}',
  ],
  [
    "distribution 2.8",
    '{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"filesystem","Enclosed":{"Op":"mkdir","Path":"/var/lib/registry/docker","Err":13}}}]}',
  ],
] as const)("case 13: a volume that %s may not write to is told as that", async ([, body]) => {
  await using cluster = await stage();
  registryAnswers(
    cluster,
    ({ method }) => method === "POST",
    (response) => response.writeHead(500, { "content-type": "application/json" }).end(body),
  );
  const error: unknown = await cluster.prove().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "REGISTRY_READ_ONLY",
    message: expect.stringContaining("may not write to its volume") as string,
    hint: expect.stringContaining("--run-as-user 0") as string,
  });
  expect(isUnwritable(error)).toBe(true);
  expect(created(cluster)).toBe(0);
});

test("another failure of the registry is not taken for a volume that is not its own", async () => {
  await using cluster = await stage();
  registryAnswers(
    cluster,
    ({ method }) => method === "POST",
    (response) => response.writeHead(500).end('{"errors":[{"code":"UNKNOWN"}]}'),
  );
  const error: unknown = await cluster.prove().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "REGISTRY_UNHEALTHY" });
  expect(isUnwritable(error)).toBe(false);
});

test("a registry that serves something else than what was pushed does not pass", async () => {
  await using cluster = await stage();
  registryAnswers(
    cluster,
    ({ method, url }) => method === "HEAD" && url?.includes("/manifests/") === true,
    (response) =>
      response.writeHead(200, { "docker-content-digest": `sha256:${"0".repeat(64)}` }).end(),
  );
  await expect(cluster.prove()).rejects.toMatchObject({ code: "VERIFY_FAILED" });
  expect(created(cluster)).toBe(0);
});

test("an interruption ends it at once, and another session removes what was made", async () => {
  await using cluster = await stage(() => {
    cluster.interrupt.abort(new Error("interrupted"));
    return waiting("ContainerCreating");
  });
  await expect(cluster.prove()).rejects.toThrow("interrupted");
  expect(created(cluster)).toBeGreaterThan(0);
  expect(cluster.left()).toEqual(nothing);
});

test("an interruption without another session says what is left, and how to remove it", async () => {
  await using cluster = await stage(() => {
    cluster.interrupt.abort(new Error("interrupted"));
    return waiting("ContainerCreating");
  });
  await expect(cluster.prove({}, { reopen: undefined })).rejects.toThrow("interrupted");
  expect(cluster.events).toContainEqual({
    type: "warning",
    message: expect.stringContaining("pods of the proof may be left") as string,
    hint: expect.stringMatching(
      /^kubectl delete pods -n kpush-system -l kpush\.dev\/proof=\w+$/,
    ) as string,
  });
});

test("an image that the registry does not delete is a warning, not a failure", async () => {
  await using cluster = await stage();
  registryAnswers(
    cluster,
    ({ method }) => method === "DELETE",
    (response) => response.writeHead(405).end(),
  );
  expect((await cluster.prove()).nodes).toEqual(["node1", "node2"]);
  expect(cluster.left().pods).toEqual([]);
  expect(warnings(cluster)).toEqual([
    expect.stringMatching(/left in the registry, as kpush\/proof:\w+.*does not allow deleting/),
  ]);
});

test("what answers too slowly to be removed is a warning, not an endless wait", async () => {
  await using cluster = await stage();
  registryAnswers(
    cluster,
    ({ method }) => method === "DELETE",
    () => undefined,
  );
  await cluster.prove({}, { cleaning: 20 });
  expect(warnings(cluster)).toEqual([expect.stringMatching(/left in the registry.*too long/)]);
});
