import { describe, expect, test } from "vitest";
import type { KpushEvent } from "../../src/events.ts";
import { uninstall, type UninstallOptions } from "../../src/install/uninstall.ts";
import { installWorld, never, rendered, type InstallWorld } from "../fakes/install-world.ts";

const namespace = "kpush-system";
const text = (pattern: RegExp) => expect.stringMatching(pattern) as string;

async function remove(world: InstallWorld, options: UninstallOptions = {}) {
  const events: KpushEvent[] = [];
  const context = {
    ...{ surroundings: world.home.surroundings, signal: never },
    report: (event: KpushEvent) => events.push(event),
  };
  const { objects } = await uninstall(options, context, { interval: 1 });
  const told = objects.map(({ kind, name, action }) => `${kind}/${name} ${action}`);
  return { objects, told, warnings: events.filter(({ type }) => type === "warning") };
}

describe("uninstalling", () => {
  test("case 19: keeps the claim and says how to get it back; twice is fine", async () => {
    await using world = await installWorld();
    await world.install();
    const { told, objects } = await remove(world);
    expect(told).toEqual([
      "DaemonSet/kpush-node-proxy removed",
      "Deployment/kpush-registry removed",
      "ConfigMap/kpush-registry-config removed",
      "ConfigMap/kpush-node-proxy removed",
      "Service/kpush-registry removed",
      "Role/kpush-push removed",
      "NetworkPolicy/kpush-registry removed",
      "Secret/kpush-registry-http removed",
      "PersistentVolumeClaim/kpush-registry-data kept",
    ]);
    expect(objects.at(-1)?.note).toBe(
      "holds the images: kpush install uses it again, kpush uninstall --delete-data deletes it",
    );
    expect((await remove(world)).told).toEqual([
      "Deployment/kpush-registry absent",
      "PersistentVolumeClaim/kpush-registry-data kept",
    ]);
  });

  test("who may not delete the data learns it while all is still there", async () => {
    await using world = await installWorld();
    await world.install();
    const before = world.store.objects.length;
    world.api.allow = (verb, resource) =>
      verb !== "delete" || resource !== "persistentvolumeclaims";
    await expect(remove(world, { deleteData: true })).rejects.toMatchObject({
      code: "CLUSTER_FORBIDDEN",
    });
    expect(world.store.objects).toHaveLength(before);
  });

  test("case 19: what others made under our names stays, with its maker's name", async () => {
    await using world = await installWorld();
    await world.install(rendered({ nodeAccess: "none" }));
    const labels = { "app.kubernetes.io/managed-by": "Helm" };
    const theirs = { apiVersion: "apps/v1", kind: "DaemonSet" };
    world.store.put({ ...theirs, metadata: { name: "kpush-node-proxy", namespace, labels } });
    const { objects } = await remove(world, { deleteData: true });
    expect(objects).toContainEqual({
      ...{ kind: "DaemonSet", namespace, name: "kpush-node-proxy", action: "kept" },
      note: "made by Helm",
    });
    expect(world.store.find("DaemonSet", "kpush-node-proxy", namespace)).toBeDefined();
    expect(world.store.find("PersistentVolumeClaim", "kpush-registry-data", namespace)).toBe(
      undefined,
    );
  });

  test("a namespace that cannot be looked into whole is not deleted", async () => {
    await using world = await installWorld();
    await world.install();
    // The fake server tells nothing of the kinds that it serves.
    const { objects } = await remove(world, { deleteData: true });
    expect(objects.at(-1)).toEqual({
      ...{ kind: "Namespace", name: namespace, action: "kept" },
      note: text(/^holds what kpush did not make \(what \/api\/v1 serves \(it does not answer\), /),
    });
    expect(world.store.find("Namespace", namespace)).toBeDefined();
  });

  test("a dry run tells the same and removes nothing", async () => {
    await using world = await installWorld();
    await world.install();
    const before = structuredClone(world.store.objects);
    const dry = await remove(world, { deleteData: true, dryRun: true });
    expect(world.store.objects).toEqual(before);
    expect((await remove(world, { deleteData: true })).told).toEqual(dry.told);
  });

  test("pods that a cut-off proof left behind go too, those of the workloads with these", async () => {
    await using world = await installWorld();
    await world.install(rendered({ nodeAccess: "none" }));
    const labels = {
      "app.kubernetes.io/managed-by": "kpush",
      "app.kubernetes.io/instance": "kpush",
    };
    const pod = { apiVersion: "v1", kind: "Pod" };
    world.store.put({ ...pod, metadata: { name: "proof-1", namespace, labels } });
    const ownerReferences = [{ kind: "ReplicaSet", name: "kpush-registry-1" }];
    world.store.put({
      ...pod,
      metadata: { name: "registry-1", namespace, labels, ownerReferences },
    });
    const { told } = await remove(world);
    expect(told).toContain("Pod/proof-1 removed");
    expect(told.join()).not.toContain("registry-1");
  });

  test("what runs is gone before the policy that guards it", async () => {
    await using world = await installWorld();
    await world.install();
    const gone: string[] = [];
    world.store.onChange = (type, { kind }) => {
      if (type === "deleted") gone.push(kind);
    };
    await remove(world);
    expect(gone.slice(0, 2).toSorted()).toEqual(["DaemonSet", "Deployment"]);
  });

  test("without -n, who installed into kube-system is told so", async () => {
    await using world = await installWorld();
    await world.install(rendered({ namespace: "kube-system" }));
    const { told, warnings } = await remove(world);
    expect(told).toEqual(["Deployment/kpush-registry absent"]);
    expect(warnings).toEqual([expect.objectContaining({ hint: "kpush uninstall -n kube-system" })]);
    const there = await remove(world, { namespace: "kube-system" });
    expect(there.told).toContain("Deployment/kpush-registry removed");
    expect(world.store.find("Namespace", "kube-system")).toBeDefined();
  });

  test("kinds that may not be looked at are named, and all of them are an error", async () => {
    await using world = await installWorld();
    await world.install();
    world.api.allow = (verb, resource) => verb !== "list" || resource !== "roles";
    const { warnings } = await remove(world);
    expect(warnings).toEqual([
      expect.objectContaining({
        message: text(/^you may not list roles in namespace kpush-system/),
      }),
    ]);
    world.api.allow = () => false;
    await expect(remove(world)).rejects.toMatchObject({ code: "CLUSTER_FORBIDDEN" });
  });

  test("what does not go is told when the time is over", async () => {
    await using world = await installWorld();
    await world.install();
    world.store.onChange = (type, object) => {
      if (type === "deleted" && object.kind === "Deployment") world.store.put(object);
    };
    await expect(remove(world, { timeout: 300 })).rejects.toMatchObject({
      code: "TIMEOUT",
      message: "not all was gone within 0.3 s; what is left is being deleted",
    });
  });
});
