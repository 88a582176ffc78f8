import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import { chooseNodes } from "../../../src/install/prove/choose-nodes.ts";
import { proofPod, pullOf } from "../../../src/install/prove/proof-pod.ts";
import { nodeNames, pullFailed, pullHint } from "../../../src/install/prove/pull-failure.ts";

/** A Linux node, ready unless told otherwise. */
function node(name: string, facts: Record<string, unknown> = {}): KubeObject {
  const { ready = true, cordoned = false, os = "linux", arch = "amd64", type } = facts;
  const labels = { "kubernetes.io/os": os as string, ...(type ? { type: type as string } : {}) };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels },
    spec: cordoned === true ? { unschedulable: true } : {},
    status: {
      conditions: [{ type: "Ready", status: ready === true ? "True" : "Unknown" }],
      nodeInfo: { architecture: arch },
    },
  };
}

const six = ["a", "b", "c", "d", "e", "f"].map((name) => node(name));

describe("the nodes of a proof", () => {
  test.for<[string, KubeObject[], string[] | undefined, number | "all", string[]]>([
    ["all of them", six, undefined, "all", ["a", "b", "c", "d", "e", "f"]],
    ["none", six, undefined, 0, []],
    ["one", six, undefined, 1, ["a"]],
    ["two, spread over the list", six, undefined, 2, ["a", "d"]],
    ["four, spread over the list", six, undefined, 4, ["a", "c", "d", "f"]],
    ["more than there are", six, undefined, 9, ["a", "b", "c", "d", "e", "f"]],
    ["those with a proxy alone", six, ["c", "e"], "all", ["c", "e"]],
    [
      "no node that is not ready",
      [node("a", { ready: false }), node("b")],
      undefined,
      "all",
      ["b"],
    ],
    ["no Windows", [node("a", { os: "windows" }), node("b")], undefined, "all", ["b"]],
    ["nothing virtual", [node("a", { type: "virtual-kubelet" }), node("b")], undefined, 2, ["b"]],
    ["a cordoned one last", [node("a", { cordoned: true }), node("b")], undefined, 1, ["b"]],
    [
      "a cordoned one, too",
      [node("a", { cordoned: true }), node("b")],
      undefined,
      "all",
      ["b", "a"],
    ],
    ["nothing of nothing", [], undefined, "all", []],
  ])("are %s", ([, nodes, proxied, wanted, expected]) => {
    const set = proxied && new Set(proxied);
    expect(chooseNodes(nodes, set, wanted).nodes.toSorted()).toEqual(expected.toSorted());
  });

  test("say which architectures they have, and who was passed over", () => {
    const nodes = [node("a"), node("b", { arch: "arm64" }), node("c"), node("d", { ready: false })];
    expect(chooseNodes(nodes, undefined, "all")).toMatchObject({
      architectures: ["amd64", "arm64"],
      notReady: ["d"],
    });
  });
});

const image = "localhost:5000/kpush/proof:0a1b";

/** A pod whose one container waits for this reason. */
const waiting = (reason: string, message?: string) => ({
  phase: "Pending",
  containerStatuses: [{ name: "proof", imageID: "", state: { waiting: { reason, message } } }],
});

test.for<[string, Record<string, unknown>, string]>([
  ["no status yet", {}, "waiting"],
  ["an image that is being pulled", waiting("ContainerCreating"), "waiting"],
  ["a container that has ended", { containerStatuses: [{ state: { terminated: {} } }] }, "pulled"],
  ["a container that runs", { containerStatuses: [{ state: { running: {} } }] }, "pulled"],
  ["a container that cannot be made", waiting("CreateContainerError", "no command"), "pulled"],
  ["a container that cannot start", waiting("RunContainerError"), "pulled"],
  ["a container that crashes", waiting("CrashLoopBackOff"), "pulled"],
  ["a failed pull", waiting("ErrImagePull", "EOF"), "failed"],
  ["a pull that is put off", waiting("ImagePullBackOff"), "failed"],
  ["a name that the kubelet does not take", waiting("InvalidImageName"), "failed"],
  ["a node that is full", { phase: "Failed", reason: "OutOfpods", message: "m" }, "refused"],
])("%s is %s", ([, status, state]) => {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, status };
  expect(pullOf(pod).state).toBe(state);
});

test.for([
  [
    'failed to pull and unpack image "localhost:5000/kpush/proof:0a1b": failed to resolve image: failed to do request: Head "https://localhost:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
    'Head "https://localhost:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
  ],
  [
    'Back-off pulling image "localhost:5000/x": ErrImagePull: rpc error: code = Unknown desc = failed to resolve reference "localhost:5000/x": EOF',
    "EOF",
  ],
  ["pinging: \u001b[31mno such host", "pinging: [31mno such host"],
] as const)("the cause is told without what is in front of it: %s", ([said, why]) => {
  const status = waiting("ErrImagePull", said);
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, status };
  expect(pullOf(pod)).toEqual({ state: "failed", why });
});

test.for([
  ["dial tcp 127.0.0.1:5000: connect: connection refused", "--node-access hostnetwork"],
  ["http: server gave HTTP response to HTTPS client", "registries.conf.d"],
  ["dial tcp: lookup registry.local: no such host", "cannot resolve the name in localhost:5000"],
  ["localhost:5000/kpush/proof:0a1b: not found", "--node-port"],
  ["unexpected status code: 503 Service Unavailable", "daemonset/kpush-node-proxy"],
  ["net/http: TLS handshake timeout", "daemonset/kpush-node-proxy"],
  ["something else", "--no-verify"],
] as const)("a pull that failed with %s has the hint %s", ([said, hint]) => {
  expect(pullHint(said, "localhost:5000")).toContain(hint);
});

test("nodes that failed alike are told together, with how many did well", () => {
  const failures = new Map([
    ["a", "EOF"],
    ["b", "connection refused"],
    ["c", "EOF"],
  ]);
  expect(pullFailed(image, failures, 2)).toMatchObject({
    code: "NODE_PULL_FAILED",
    message: `a and c cannot pull ${image}: EOF; b cannot pull ${image}: connection refused; 2 others did`,
  });
});

test.for([
  [["a"], "a"],
  [["a", "b", "c"], "a, b and c"],
  [["a", "b", "c", "d", "e", "f", "g", "h"], "a, b, c, d, e and 3 more"],
] as const)("%j are named %s", ([nodes, words]) => {
  expect(nodeNames(nodes)).toBe(words);
});

test("the pod is for one node, pulls in any case, and passes Pod Security restricted", () => {
  const pod = proofPod({ namespace: "n", name: "p", node: "a", image, tag: "0a1b", seconds: 90 });
  expect(pod.metadata.labels).toMatchObject({
    "app.kubernetes.io/managed-by": "kpush",
    "app.kubernetes.io/component": "proof",
  });
  expect(pod["spec"]).toMatchObject({
    nodeName: "a",
    restartPolicy: "Never",
    activeDeadlineSeconds: 90,
    automountServiceAccountToken: false,
    tolerations: [{ operator: "Exists" }],
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        image,
        imagePullPolicy: "Always",
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  });
});
