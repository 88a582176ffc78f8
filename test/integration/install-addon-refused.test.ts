import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import type { install } from "../../src/install/install.ts";
import { addonObjects, addonWorld } from "../fakes/old-addon.ts";

const namespace = "kube-system";
const text = (pattern: RegExp) => expect.stringMatching(pattern) as string;

describe("before anything is changed, a replacement is refused", () => {
  const stray = (name: string, label: string, owner?: string): KubeObject => ({
    ...{ apiVersion: "v1", kind: "Pod", spec: { nodeName: "node2", containers: [] } },
    metadata: {
      ...{ name, namespace, labels: { "k8s-app": label } },
      ...(owner === undefined ? {} : { ownerReferences: [{ kind: owner, controller: true }] }),
    },
    status: { phase: "Running" },
  });
  const withPod = (pod: KubeObject) => [...addonObjects(), pod];
  const second = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "b", namespace } };
  const spec = addonObjects()[1]?.["spec"];
  const own = {
    ...{ apiVersion: "apps/v1", kind: "Deployment" },
    metadata: { name: "kpush-registry", namespace },
    spec: { template: { spec: { volumes: [{ name: "data", emptyDir: {} }] } } },
  };

  test.for<[string, KubeObject[], RegExp, RegExp]>([
    ["where there is no addon", [], /is not in namespace kube-system/, /-n NAMESPACE/],
    [
      "where two registries run",
      [...addonObjects(), { ...second, spec }],
      /more than one runs an old registry: .*kube-registry-v0.*, deployment kube-system\/b/,
      /kubectl get/,
    ],
    [
      "where proxies are static pods",
      withPod(stray("proxy-node2", "kube-registry-proxy", "Node")),
      /proxies of the old addon \(pod proxy-node2\): they come from files/,
      /manifests, on node2 and/,
    ],
    [
      "where a pod by itself is a registry",
      withPod(stray("mine", "kube-registry")),
      /the old registry \(pod mine\): run by nothing that kpush could replace/,
      /run it by a Deployment on a claim/,
    ],
    [
      "where kpush has another registry there",
      [...addonObjects(), own],
      /kpush's own registry is in namespace kube-system already/,
      /kpush uninstall -n kube-system/,
    ],
  ])("%s", async ([, objects, message, hint]) => {
    await using cluster = await addonWorld(objects);
    await expect(cluster.replace()).rejects.toMatchObject({
      ...{ code: "INSTALL_REFUSED", message: text(message), hint: text(hint) },
    });
    expect(cluster.store.writes()).toEqual([]);
  });

  test("where the old objects may not all be changed and removed", async () => {
    await using cluster = await addonWorld();
    cluster.world.api.allow = (verb, resource) =>
      !(verb === "delete" && ["daemonsets", "configmaps"].includes(resource)) &&
      !(verb === "patch" && resource === "replicationcontrollers");
    await expect(cluster.replace()).rejects.toMatchObject({
      code: "CLUSTER_FORBIDDEN",
      message:
        "you may not patch replicationcontroller kube-system/kube-registry-v0, delete daemonset kube-system/kube-registry-proxy, delete configmap kube-system/kube-registry-proxy in context test; nothing was changed",
    });
    expect(cluster.store.writes()).toEqual([]);
  });

  test.for<[Parameters<typeof install>[0], string, RegExp]>([
    [{ wait: false }, "USAGE", /waits/],
    [{ nodeAccess: "none" }, "USAGE", /leave out --node-access none/],
    [{ storage: "emptydir" }, "INSTALL_REFUSED", /--storage names another place/],
    [{ namespace: "elsewhere" }, "INSTALL_REFUSED", /is not in namespace elsewhere/],
  ])("with %o", async ([options, code, message]) => {
    await using cluster = await addonWorld();
    await expect(cluster.replace(options)).rejects.toMatchObject({ code, message: text(message) });
    expect(cluster.store.writes()).toEqual([]);
  });
});
