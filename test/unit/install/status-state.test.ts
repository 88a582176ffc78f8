import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import type { Pod } from "../../../src/cluster/pods.ts";
import type { Facts } from "../../../src/install/status/facts.ts";
import { mayPush } from "../../../src/install/status/may-push.ts";
import { proxyState } from "../../../src/install/status/proxy-state.ts";
import { registryState } from "../../../src/install/status/registry-state.ts";
import { usageIn } from "../../../src/install/status/usage.ts";
import { nodeNamed } from "../../fakes/kubelet.ts";
import { pod } from "../cluster/pods.ts";

const namespace = "kpush-system";

/** A Deployment or DaemonSet with this template. */
function workload(kind: string, spec: Record<string, unknown>, extra: object = {}): KubeObject {
  const { replicas = 1, ...template } = spec;
  return {
    ...{ apiVersion: "apps/v1", kind, metadata: { name: kind.toLowerCase(), namespace } },
    spec: { replicas, template: { spec: template } },
    ...extra,
  };
}

/** An installation of one registry, and of no more than is told. */
function facts(told: Partial<Facts> = {}): Facts {
  return {
    namespace,
    deployment: workload("Deployment", {
      containers: [{ name: "registry", image: "registry:3.1.1" }],
    }),
    registryPods: [],
    proxyPods: [],
    ...{ daemonSet: undefined, claim: undefined, bindings: undefined, nodes: undefined },
    ...told,
  };
}

const registryPod = (told: Parameters<typeof pod>[0]): Pod =>
  pod({ namespace, containers: [{ name: "registry", image: "registry:3.1.1" }], ...told });

describe("the registry", () => {
  test("is its ready pod, whatever else there is", () => {
    const old = registryPod({ name: "old", phase: "Failed", created: "2024-01-02T00:00:00Z" });
    const { registry, problems } = registryState(
      facts({ registryPods: [old, registryPod({ name: "ready" })] }),
    );
    expect(registry).toEqual({
      pod: "ready",
      ready: true,
      image: "registry:3.1.1",
      version: "3.1.1",
    });
    expect(problems).toEqual([]);
  });

  test("is the newest pod, and what is wrong with it, where none is ready", () => {
    const { registry, problems } = registryState(
      facts({
        registryPods: [
          registryPod({ name: "old", phase: "Failed", created: "2024-01-01T00:00:00Z" }),
          registryPod({ name: "new", ready: false, created: "2024-01-02T00:00:00Z" }),
        ],
      }),
    );
    expect(registry).toMatchObject({ pod: "new", ready: false });
    expect(problems).toEqual([
      {
        message: expect.stringMatching(/^the registry's pod new runs, but is not ready/) as string,
        hint: "kubectl describe pod -n kpush-system new",
      },
    ]);
  });

  test.for<[string, KubeObject, RegExp, RegExp]>([
    ["scaled to 0", workload("Deployment", { replicas: 0 }), /scaled to 0/, /--replicas=1$/],
    ["not there, and nobody says why", workload("Deployment", {}), /has no pod$/, /describe/],
    [
      "refused by the cluster",
      workload(
        "Deployment",
        {},
        {
          status: {
            conditions: [{ type: "ReplicaFailure", status: "True", message: "exceeded quota" }],
          },
        },
      ),
      /has no pod: exceeded quota$/,
      /describe/,
    ],
  ])("is %s", ([, deployment, message, hint]) => {
    const { registry, problems } = registryState(facts({ deployment }));
    expect(registry).toMatchObject({ pod: undefined, ready: false });
    expect(problems).toEqual([
      {
        message: expect.stringMatching(message) as string,
        hint: expect.stringMatching(hint) as string,
      },
    ]);
  });
});

const proxyOn = (node: string, told: Parameters<typeof pod>[0] = {}): Pod => {
  const made = pod({ namespace, name: `proxy-${node}`, ...told });
  return { ...made, spec: { ...made.spec, nodeName: node } };
};
const everywhere = workload("DaemonSet", { tolerations: [{ operator: "Exists" }] });
const tainted: KubeObject = {
  ...nodeNamed("node9"),
  spec: { taints: [{ key: "gpu", effect: "NoSchedule" }] },
};

describe("the node proxies", () => {
  test("are none where none are installed", () => {
    expect(proxyState(facts({ nodes: [nodeNamed("node1")] }))).toEqual({
      proxies: undefined,
      problems: [],
    });
  });

  test("are told by node, in order", () => {
    const nodes = [nodeNamed("node2"), nodeNamed("node1")];
    const proxyPods = [proxyOn("node2"), proxyOn("node1")];
    expect(proxyState(facts({ daemonSet: everywhere, nodes, proxyPods }))).toEqual({
      proxies: [
        { node: "node1", ready: true },
        { node: "node2", ready: true },
      ],
      problems: [],
    });
  });

  test("are a problem where one is not ready", () => {
    const proxyPods = [proxyOn("node1"), proxyOn("node2", { ready: false })];
    const { proxies, problems } = proxyState(facts({ daemonSet: everywhere, proxyPods }));
    expect(proxies?.[1]).toMatchObject({ node: "node2", ready: false });
    expect(problems).toEqual([
      {
        message: expect.stringMatching(/^node node2 cannot pull: its proxy runs, but/) as string,
        hint: "kubectl describe pod -n kpush-system proxy-node2",
      },
    ]);
  });

  test.for<[string, KubeObject, KubeObject, boolean]>([
    ["has none", everywhere, nodeNamed("node9"), true],
    ["is tainted, and all taints are tolerated", everywhere, tainted, true],
    ["is tainted, and it may be so on purpose", workload("DaemonSet", {}), tainted, false],
    [
      "is not selected",
      workload("DaemonSet", { nodeSelector: { pool: "a" } }),
      nodeNamed("node9"),
      false,
    ],
    ["is down", everywhere, nodeNamed("node9", false), false],
    ["is cordoned", everywhere, { ...nodeNamed("node9"), spec: { unschedulable: true } }, false],
  ])("are a problem where a node %s: %#", ([, daemonSet, node, missing]) => {
    const nodes = [nodeNamed("node1"), node];
    const { proxies, problems } = proxyState(
      facts({ daemonSet, nodes, proxyPods: [proxyOn("node1")] }),
    );
    expect(proxies?.map((one) => one.node)).toEqual(missing ? ["node1", "node9"] : ["node1"]);
    expect(problems).toHaveLength(missing ? 1 : 0);
  });

  test("on a node that is down are no fault of theirs", () => {
    const nodes = [nodeNamed("node1", false)];
    const proxyPods = [proxyOn("node1", { ready: false })];
    expect(proxyState(facts({ daemonSet: everywhere, nodes, proxyPods }))).toEqual({
      proxies: [{ node: "node1", ready: false, problem: "the node is not ready" }],
      problems: [],
    });
  });

  test("that are not placed yet are told by the node that they are for", () => {
    const unplaced = pod({ namespace, phase: "Pending", scheduling: "no free ports" });
    delete unplaced.spec.nodeName;
    const terms = [{ matchFields: [{ key: "metadata.name", values: ["node7"] }] }];
    const required = {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms },
    };
    const waiting = {
      ...unplaced,
      spec: { ...unplaced.spec, affinity: { nodeAffinity: required } },
    };
    const { problems } = proxyState(facts({ daemonSet: everywhere, proxyPods: [waiting] }));
    expect(problems[0]?.message).toMatch(/^node node7 cannot pull: .*no free ports/);
  });

  test("are counted by the DaemonSet where nodes may not be listed", () => {
    const daemonSet = { ...everywhere, status: { desiredNumberScheduled: 3 } };
    const { problems } = proxyState(facts({ daemonSet, proxyPods: [proxyOn("node1")] }));
    expect(problems).toMatchObject([{ message: "2 of 3 nodes have no proxy" }]);
  });
});

test("who may push is told as --allow-push takes it, and of that Role alone", () => {
  const binding = (name: string, ...subjects: object[]): KubeObject => ({
    ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding" },
    metadata: { name: "b", namespace },
    ...{ roleRef: { kind: "Role", name }, subjects },
  });
  const jane = { kind: "User", name: "jane" };
  expect(
    mayPush([
      binding("kpush-push", jane, { kind: "Group", name: "devs" }),
      binding("kpush-push", jane, { kind: "ServiceAccount", name: "ci", namespace: "build" }),
      binding("another", { kind: "User", name: "eve" }),
    ]),
  ).toEqual(["group:devs", "serviceaccount:build:ci", "user:jane"]);
});

const gib = 1024 ** 3;
const line = (total: number, used: number, free: number) =>
  `/dev/sdb ${total / 1024} ${used / 1024} ${free / 1024} 50% /var/lib/registry`;

test.for<[string, string, number, number | undefined, number | undefined]>([
  ["a volume of its own", `${line(gib, 4096, gib - 4096)}\n`, gib, 4096, gib - 4096],
  [
    "a directory on a disk",
    `${line(9 * gib, gib, 8 * gib)}\n8\t/var/lib/registry\n`,
    gib,
    8192,
    8 * gib,
  ],
  ["too many files to count", `${line(9 * gib, gib, 8 * gib)}\n`, gib, undefined, 8 * gib],
  ["an emptyDir", `${line(9 * gib, gib, 8 * gib)}\n8\t/var/lib/registry\n`, 0, 8192, 8 * gib],
  ["a shell that has no df", "sh: df: not found\n", gib, undefined, undefined],
])("what df and du say of %s", ([, output, capacity, usedBytes, freeBytes]) => {
  expect(usageIn(output, capacity)).toEqual({ usedBytes, freeBytes });
});
