import { describe, expect, test } from "vitest";
import { statusText } from "../../../src/output/status.ts";
import type { StatusResult } from "../../../src/results.ts";

/** An installation that is well, with what a test changes of it. */
function status(changes: Partial<StatusResult> = {}): StatusResult {
  return {
    context: "prod-eu",
    namespace: "kpush-system",
    healthy: true,
    problems: [],
    registry: {
      pod: "kpush-registry-7d9fc",
      ready: true,
      image: "registry:3.1.1",
      version: "3.1.1",
    },
    storage: {
      kind: "pvc",
      claim: "kpush-registry-data",
      capacity: "20Gi",
      usedBytes: 1_200_000_000,
      freeBytes: 20_200_000_000,
    },
    proxies: [
      { node: "node-a", ready: true },
      { node: "node-b", ready: true },
    ],
    pullAddress: "localhost:5000",
    mayPush: ["group:developers", "user:jane"],
    ...changes,
  };
}

const text = (changes: Partial<StatusResult> = {}, verbose = false) =>
  statusText(status(changes), { verbose });

test("what is well is told in short", () => {
  expect(text()).toBe(`\
context   prod-eu
registry  kpush-system/kpush-registry-7d9fc, ready
image     registry:3.1.1
storage   claim kpush-registry-data, 20Gi
          1.2 GB used, 20.2 GB free
nodes     2 of 2 nodes ready, pull as localhost:5000/…
may push  group:developers
          user:jane
`);
});

test("what is wrong is named, with what helps", () => {
  const proxies = [
    { node: "node-a", ready: true },
    { node: "node-b", ready: false, problem: "pulling its image fails" },
    { node: "node-c", ready: false },
  ];
  const problems = [
    { message: "the node proxy on node-b is not ready", hint: "kubectl describe pod p" },
    { message: "the claim is full" },
  ];
  expect(text({ proxies, problems, healthy: false })).toContain(`
nodes     1 of 3 nodes ready, pull as localhost:5000/…
            node-b: pulling its image fails
            node-c: not ready
may push  group:developers
          user:jane
problem   the node proxy on node-b is not ready
          hint: kubectl describe pod p
problem   the claim is full
`);
});

test("-v shows each node", () => {
  expect(text({}, true)).toContain("/…\n            node-a: ready\n            node-b: ready\n");
});

test("lines fit into 60 columns", () => {
  for (const line of text().split("\n")) expect(line.length).toBeLessThanOrEqual(60);
});

describe("what is not known is left out:", () => {
  const storage = { claim: undefined, capacity: undefined, freeBytes: undefined };
  test.for<[string, Partial<StatusResult>, string]>([
    [
      "no pod",
      { registry: { pod: undefined, ready: false, image: undefined, version: undefined } },
      "registry  no pod in namespace kpush-system\nstorage ",
    ],
    [
      "a pod that is not ready, and a digest in place of a version",
      { registry: { pod: "p", ready: false, image: "registry@sha256:1", version: "3.1.1" } },
      "registry  kpush-system/p, not ready\nimage     registry@sha256:1\n          version 3.1.1\n",
    ],
    [
      "an emptyDir's free space",
      { storage: { ...storage, kind: "emptydir", usedBytes: 5 } },
      "storage   emptydir\n          5 B used\nnodes ",
    ],
    [
      "space that nobody measures",
      { storage: { ...storage, kind: "pvc", usedBytes: undefined } },
      "storage   pvc\nnodes ",
    ],
    ["no proxies", { proxies: undefined }, "nodes     no proxies; "],
    ["one node", { proxies: [{ node: "a", ready: true }] }, "nodes     1 of 1 node ready, pull "],
    ["nobody named", { mayPush: [] }, "may push  nobody is named; kpush install --allow-push\n"],
    [
      "what may not be seen",
      { mayPush: undefined },
      "may push  not known: you may not see who is named\n",
    ],
  ])("%s", ([, changes, expected]) => {
    expect(text(changes)).toContain(expected);
  });
});
