import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import { memoryOf } from "../../../src/install/addon/memory.ts";
import {
  configMapsOf,
  hostPortOf,
  isOldProxy,
  isOldRegistry,
  selectorOf,
  storeOf,
  userOf,
} from "../../../src/install/addon/templates.ts";

describe("a pod of the old addon", () => {
  const proxy = { containers: [{ name: "kube-registry-proxy" }] };
  const registry = { containers: [{ name: "registry" }] };

  test.for<[string, object, object, "registry" | "proxy" | "neither"]>([
    ["of the README", { "k8s-app": "kube-registry", version: "v0" }, registry, "registry"],
    ["of a templated copy", { "k8s-app": "kube-registry-upstream" }, registry, "registry"],
    ["a proxy", { "k8s-app": "kube-registry-proxy" }, {}, "proxy"],
    ["a proxy with the registry's label", { "k8s-app": "kube-registry" }, proxy, "proxy"],
    ["a proxy by its second label", { "kubernetes.io/name": "kube-registry-proxy" }, {}, "proxy"],
    ["kpush's own", { "app.kubernetes.io/name": "kpush-registry" }, registry, "neither"],
    ["minikube's", { "actual-registry": "true" }, registry, "neither"],
  ])("%s", ([, labels, spec, kind]) => {
    expect(isOldRegistry(labels, spec)).toBe(kind === "registry");
    expect(isOldProxy(labels, spec)).toBe(kind === "proxy");
  });
});

describe("where it keeps its images", () => {
  const pod = (volume: object | undefined, path = "/var/lib/registry", root?: string) => ({
    volumes: [{ name: "config", configMap: { name: "x" } }, ...(volume ? [volume] : [])],
    containers: [
      {
        env: [{ name: "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", value: root }],
        volumeMounts: [
          { name: "config", mountPath: "/etc/docker/registry" },
          { name: "store", mountPath: path },
        ],
      },
    ],
  });
  const claim = { name: "store", persistentVolumeClaim: { claimName: "c" } };

  test.for<[string, Record<string, unknown>, object]>([
    ["a claim", pod(claim), { kind: "claim", name: "c" }],
    ["a claim at another root", pod(claim, "/data/", "/data"), { kind: "claim", name: "c" }],
    ["a claim above its root", pod(claim, "/data", "/data/reg"), { kind: "claim", name: "c" }],
    ["a claim somewhere else", pod(claim, "/data"), { kind: "passing" }],
    ["a claim whose path only begins alike", pod(claim, "/var/lib/reg"), { kind: "passing" }],
    ["an emptyDir", pod({ name: "store", emptyDir: {} }), { kind: "passing" }],
    ["nothing", pod(undefined), { kind: "passing" }],
    [
      "a host path",
      pod({ name: "store", hostPath: { path: "/srv" } }),
      { kind: "volume", words: "on a hostPath volume without a claim" },
    ],
  ])("%s", ([, spec, store]) => {
    expect(storeOf(spec)).toMatchObject(store);
  });
});

test("the user is the container's, else the pod's, else root", () => {
  const container = { securityContext: { runAsUser: 5 } };
  expect(userOf({ securityContext: { runAsUser: 4 }, containers: [container] })).toBe(5);
  expect(userOf({ securityContext: { runAsUser: 4 }, containers: [{}] })).toBe(4);
  expect(userOf({ containers: [{}] })).toBe(0);
});

test("the node's port is the hostPort, or the container's own on the node's network", () => {
  const ports = [{ containerPort: 8080, hostPort: 5100 }];
  expect(hostPortOf({ containers: [{ ports }] })).toBe(5100);
  const own = [{ containerPort: 5200 }];
  expect(hostPortOf({ hostNetwork: true, containers: [{ ports: own }] })).toBe(5200);
  expect(hostPortOf({ containers: [{ ports: own }] })).toBeUndefined();
});

test("only ConfigMaps of the addon's own name are its own", () => {
  const volumes = ["kube-registry-proxy", "ca-bundle"].map((name) => ({ configMap: { name } }));
  expect(configMapsOf({ volumes })).toEqual(["kube-registry-proxy"]);
});

test("pods are selected as their controller does it", () => {
  const object = (selector: object) => ({ spec: { selector } }) as unknown as KubeObject;
  expect(selectorOf(object({ a: "1", b: "2" }))).toBe("a=1,b=2");
  expect(selectorOf(object({ matchLabels: { a: "1" } }))).toBe("a=1");
});

describe("what an earlier run noted", () => {
  const noted = (note: string): KubeObject => ({
    ...{ apiVersion: "v1", kind: "ReplicationController" },
    metadata: { name: "r", annotations: { "kpush.dev/replaced-addon": note } },
  });
  const witness = { repository: "a", tag: "1", digest: "sha256:1", layer: "sha256:2" };

  test("is read", () => {
    const memory = { replicas: 1, nodePort: 5100, hostNetwork: false, configMaps: ["m"], witness };
    expect(memoryOf(noted(JSON.stringify(memory)))).toEqual(memory);
  });

  test.for([
    ["nothing", ""],
    ["no JSON", "{"],
    ["another document", "[1]"],
    ["no number of pods", "{}"],
  ])("counts for nothing where it is %s", ([, note = ""]) => {
    expect(memoryOf(noted(note))).toBeUndefined();
  });

  test("knows no image where that is not whole", () => {
    const note = (image: unknown) =>
      memoryOf(noted(JSON.stringify({ replicas: 1, witness: image })));
    expect(note("none")?.witness).toBe("none");
    expect(note({ ...witness, layer: 1 })?.witness).toBe("unknown");
    expect(note(undefined)?.witness).toBe("unknown");
  });
});
