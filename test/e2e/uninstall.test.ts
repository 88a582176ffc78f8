import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../src/cluster/types.ts";
import { uninstall, type UninstallOptions } from "../../src/install/uninstall.ts";
import { kubeconfig } from "./support/environment.ts";
import { installScene, openTestCluster, outcomeOf, testContext } from "./support/install.ts";
import { apply, kubectl } from "./support/kubectl.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openTestCluster();
});
afterAll(() => cluster[Symbol.dispose]());

const remove = (namespace: string, options: UninstallOptions = {}) =>
  uninstall({ kubeconfig, namespace, ...options }, testContext(), { interval: 100 });
const claim = "PersistentVolumeClaim/kpush-registry-data";

describe("uninstall on a cluster", () => {
  test("case 19: the claim stays, and is used again; twice is fine", async () => {
    await using scene = await installScene(cluster, "remove-twice");
    await scene.apply(scene.objects());
    await scene.ready();
    const { uid } = (await scene.live("pvc/kpush-registry-data")).metadata;
    const { objects } = await remove(scene.namespace);
    expect(outcomeOf(objects)).toEqual({
      "DaemonSet/kpush-node-proxy": "removed",
      "Deployment/kpush-registry": "removed",
      "ConfigMap/kpush-registry-config": "removed",
      "ConfigMap/kpush-node-proxy": "removed",
      "Service/kpush-registry": "removed",
      "Role/kpush-push": "removed",
      "NetworkPolicy/kpush-registry": "removed",
      "Secret/kpush-registry-http": "removed",
      [claim]: "kept",
    });
    expect(objects.find(({ action }) => action === "kept")?.note).toContain(
      "kpush install -n kpush-e2e-remove-twice uses it again",
    );
    const left = await scene.kubectl("get", "pods,ds,deploy,svc,secret,netpol,pvc", "-o", "name");
    expect(left.trim()).toBe("persistentvolumeclaim/kpush-registry-data");

    const again = await remove(scene.namespace);
    expect(outcomeOf(again.objects)).toEqual({
      "Deployment/kpush-registry": "absent",
      [claim]: "kept",
    });
    expect(await scene.apply(scene.objects())).toMatchObject({ [claim]: "unchanged" });
    expect((await scene.live("pvc/kpush-registry-data")).metadata.uid).toBe(uid);
  });

  test("case 19: with --delete-data nothing is left, not even the namespace", async () => {
    await using scene = await installScene(cluster, "remove-all");
    await scene.apply(scene.objects());
    await scene.ready();
    const planned = await remove(scene.namespace, { deleteData: true, dryRun: true });
    expect(await scene.kubectl("get", "deploy,pvc", "-o", "name")).toContain("claim/kpush");
    const { objects } = await remove(scene.namespace, { deleteData: true });
    expect(outcomeOf(objects)).toEqual(outcomeOf(planned.objects));
    expect(outcomeOf(objects)).toMatchObject({
      [claim]: "removed",
      [`Namespace/${scene.namespace}`]: "removed",
    });
    await expect(kubectl(["get", "namespace", scene.namespace])).rejects.toThrow("not found");
    const again = await remove(scene.namespace, { deleteData: true });
    expect(outcomeOf(again.objects)).toEqual({ "Deployment/kpush-registry": "absent" });
  });

  test("case 19: what kpush did not make is not touched, nor the namespace that it is in", async () => {
    await using scene = await installScene(cluster, "remove-foreign");
    const { namespace } = scene;
    await scene.apply(scene.objects({ nodeAccess: "none", storage: "emptydir" }));
    const labels = { "app.kubernetes.io/managed-by": "Helm" };
    await apply([
      ...[
        {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "kpush-node-proxy", namespace, labels },
        },
      ],
      {
        ...{ apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "mine", namespace } },
        spec: {
          schedule: "0 0 1 1 *",
          jobTemplate: {
            spec: {
              template: {
                spec: { restartPolicy: "Never", containers: [{ name: "c", image: "busybox" }] },
              },
            },
          },
        },
      },
    ]);
    const { objects } = await remove(namespace, { deleteData: true });
    const kept = objects.filter(({ action }) => action === "kept");
    expect(kept).toEqual([
      {
        ...{ kind: "ConfigMap", namespace, name: "kpush-node-proxy", action: "kept" },
        note: "made by Helm",
      },
      {
        ...{ kind: "Namespace", name: namespace, action: "kept" },
        note: `holds what kpush did not make (configmaps/kpush-node-proxy, cronjobs/mine): kubectl delete namespace ${namespace} deletes all of it`,
      },
    ]);
    expect(await scene.kubectl("get", "cronjob,cm", "-o", "name")).toContain("cronjob.batch/mine");
  });

  test("a namespace that others made stays", async () => {
    await using scene = await installScene(cluster, "remove-theirs");
    await kubectl(["create", "namespace", scene.namespace]);
    await scene.apply(scene.objects({ nodeAccess: "none" }));
    const { objects } = await remove(scene.namespace, { deleteData: true });
    expect(outcomeOf(objects)).not.toHaveProperty(`Namespace/${scene.namespace}`);
    expect(await scene.kubectl("get", "all,pvc,secret", "-o", "name")).toBe("");
  });

  test("the user's own claim is named, and stays with --delete-data too", async () => {
    await using scene = await installScene(cluster, "remove-own-claim");
    const { namespace } = scene;
    await kubectl(["create", "namespace", namespace]);
    await apply([
      {
        ...{
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          metadata: { name: "mine", namespace },
        },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      },
    ]);
    await scene.apply(scene.objects({ nodeAccess: "none", storage: "claim:mine" }));
    const { objects } = await remove(namespace, { deleteData: true });
    expect(objects.filter(({ action }) => action === "kept")).toEqual([
      {
        ...{ kind: "PersistentVolumeClaim", namespace, name: "mine", action: "kept" },
        note: `holds the images, and is not kpush's: kpush install -n ${namespace} --storage claim:mine uses it again`,
      },
    ]);
    expect(await scene.kubectl("get", "pvc", "-o", "name")).toContain("/mine");
  });
});
