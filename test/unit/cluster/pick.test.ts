import { describe, expect, test } from "vitest";
import { pickRegistry } from "../../../src/cluster/pick.ts";
import type { Pod } from "../../../src/cluster/pods.ts";
import { kindsIn, selectorsOf, usualNamespaces } from "../../../src/cluster/registry-kinds.ts";
import type { RegistryOptions } from "../../../src/cluster/types.ts";
import { pod } from "./pods.ts";

const pick = (pods: Pod[], options: RegistryOptions = {}) =>
  pickRegistry(pods, options, "kube-system");
const deployment = (name: string, hash: string) => ({
  owner: { kind: "ReplicaSet", name: `${name}-${hash}` },
  labels: { "k8s-app": "kube-registry", "pod-template-hash": hash },
});
const kpush = { labels: { "app.kubernetes.io/name": "kpush-registry" } };

describe("where and by what", () => {
  test("the namespaces come in order and once", () => {
    expect(usualNamespaces("dev")).toEqual(["kpush-system", "kube-system", "dev"]);
    expect(usualNamespaces("kube-system")).toEqual(["kpush-system", "kube-system"]);
  });

  test("one request a label key finds the pods of all rows", () => {
    expect(selectorsOf(kindsIn("kube-system"))).toEqual([
      "app.kubernetes.io/name=kpush-registry",
      "k8s-app in (kube-registry,kube-registry-upstream)",
    ]);
    expect(selectorsOf(kindsIn("kpush-system"))).toEqual(["app.kubernetes.io/name=kpush-registry"]);
  });
});

describe("kinds", () => {
  test.for([
    ["kpush", kpush.labels],
    ["kube-registry", { "k8s-app": "kube-registry" }],
    ["kube-registry-upstream", { "k8s-app": "kube-registry-upstream" }],
  ] as const)("%s is known by its label", ([kind, labels]) => {
    expect(pick([pod({ labels })])).toMatchObject({
      kind,
      port: 5000,
      pullAddress: "localhost:5000",
    });
  });

  test.for([
    ["localhost:32000", "localhost:32000"],
    ["127.0.0.1:5001/mirror", "127.0.0.1:5001/mirror"],
    ["[::1]:5000", "[::1]:5000"],
    ["evil.example:5000/x y", "localhost:5000"],
    ["", "localhost:5000"],
    ["https://x", "localhost:5000"],
  ])("the annotation %o makes nodes pull by %s", ([address = "", expected]) => {
    const annotations = { "kpush.dev/pull-address": address };
    expect(pick([pod({ ...kpush, annotations })])?.pullAddress).toBe(expected);
  });

  test("a selector's pod keeps the port and address of a kind it has the label of", () => {
    const containers = [
      {
        name: "r",
        ports: [
          { name: "metrics", containerPort: 9 },
          { name: "http", containerPort: 8080 },
        ],
      },
    ];
    expect(pick([pod({ ...kpush, containers })], { selector: "x=y" })).toMatchObject({
      kind: "selector",
      port: 8080,
    });
  });
});

describe("which pod", () => {
  test("the oldest that is ready", () => {
    const pods = [
      pod({ ...deployment("r", "a"), name: "new", created: "2026-01-03T00:00:00Z" }),
      pod({ ...deployment("r", "a"), name: "old", created: "2026-01-02T00:00:00Z" }),
      pod({
        ...deployment("r", "a"),
        name: "older",
        created: "2026-01-01T00:00:00Z",
        ready: false,
      }),
    ];
    expect(pick(pods)).toMatchObject({ name: "old", uid: "uid-old", owner: "Deployment/r" });
  });

  test("not one that is being deleted, though it is still ready", () => {
    const pods = [
      pod({ ...deployment("r", "a"), name: "going", deleting: true }),
      pod({ ...deployment("r", "a"), name: "staying", created: "2026-01-03T00:00:00Z" }),
    ];
    expect(pick(pods)?.name).toBe("staying");
  });

  test("two ReplicaSets of one Deployment are one registry", () => {
    expect(
      pick([
        pod({ ...deployment("r", "a"), name: "a" }),
        pod({ ...deployment("r", "b"), name: "b" }),
      ])?.name,
    ).toBe("a");
  });

  test("an ended or ending pod of another owner is the past, not a second registry", () => {
    const pods = [
      pod({
        name: "evicted",
        owner: { kind: "ReplicationController", name: "old" },
        phase: "Failed",
      }),
      pod({
        name: "going",
        owner: { kind: "ReplicationController", name: "older" },
        deleting: true,
      }),
      pod({ ...deployment("r", "a"), name: "now" }),
    ];
    expect(pick(pods)?.name).toBe("now");
  });

  test("a node proxy is no registry, whatever its labels", () => {
    expect(pick([pod({ owner: { kind: "DaemonSet", name: "proxy" } })])).toBeUndefined();
    expect(pick([pod({ containers: [{ name: "kube-registry-proxy" }] })])).toBeUndefined();
  });

  test("a node proxy beside the registry makes it no second one", () => {
    const proxy = pod({ name: "proxy", owner: { kind: "DaemonSet", name: "proxy" } });
    expect(pick([proxy, pod({ name: "registry" })])?.name).toBe("registry");
  });
});

describe("errors", () => {
  test("two owners are listed with what tells them apart", () => {
    const pods = [
      pod({ name: "one", owner: { kind: "ReplicationController", name: "kube-registry-v0" } }),
      pod({ name: "two", ...kpush, owner: { kind: "StatefulSet", name: "reg" } }),
    ];
    expect(() => pick(pods)).toThrow(
      expect.objectContaining({
        code: "REGISTRY_AMBIGUOUS",
        message:
          "namespace kube-system has 2 registries: ReplicationController/kube-registry-v0 (pod one, k8s-app=kube-registry); " +
          "StatefulSet/reg (pod two, app.kubernetes.io/name=kpush-registry)",
        hint: expect.stringContaining("-l k8s-app=kube-registry") as string,
      }),
    );
  });

  test("two owners are ambiguous even where only one of them is ready", () => {
    const pods = [pod({ name: "one" }), pod({ name: "two", ready: false })];
    expect(() => pick(pods)).toThrow(expect.objectContaining({ code: "REGISTRY_AMBIGUOUS" }));
  });

  test("none ready says which pod and why", () => {
    expect(() => pick([pod({ ready: false })])).toThrow(
      expect.objectContaining({
        code: "REGISTRY_NOT_READY",
        message:
          "the registry is not ready: pod kube-system/registry-0 runs, but is not ready yet: its readiness probe has not succeeded",
      }),
    );
  });

  test("a registry that is being deleted is not passed over for the next namespace", () => {
    expect(() => pick([pod({ deleting: true })])).toThrow(
      expect.objectContaining({ code: "REGISTRY_NOT_READY" }),
    );
  });
});

describe("ports", () => {
  const ports = (...list: { name?: string; containerPort: number; protocol?: string }[]) => ({
    containers: [{ name: "r", ports: list }],
  });

  test.for([
    [
      "the named one",
      ports({ name: "metrics", containerPort: 1 }, { name: "registry", containerPort: 2 }),
      undefined,
      2,
    ],
    ["the only one", ports({ containerPort: 8080 }), undefined, 8080],
    [
      "5000 among nameless ones",
      ports({ containerPort: 5001 }, { containerPort: 8080 }),
      undefined,
      5000,
    ],
    ["5000 where none is declared", { containers: [{ name: "r" }] }, undefined, 5000],
    [
      "a name that was asked for",
      ports({ name: "registry", containerPort: 1 }, { name: "alt", containerPort: 2 }),
      "alt",
      2,
    ],
    ["a number that was asked for", ports({ containerPort: 1 }), "7000", 7000],
    [
      "none of UDP",
      ports({ name: "registry", containerPort: 1, protocol: "UDP" }, { containerPort: 2 }),
      undefined,
      2,
    ],
  ] as const)("%s", ([, facts, registryPort, port]) => {
    expect(
      pick([pod({ containers: [...facts.containers] as Pod["spec"]["containers"] })], {
        registryPort,
      })?.port,
    ).toBe(port);
  });

  test("a name that the pod does not have is refused with those it has", () => {
    expect(() => pick([pod()], { registryPort: "web" })).toThrow(
      'no container port "web"; it has registry (5000)',
    );
  });
});
