import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import type { Cluster } from "../../src/cluster/types.ts";
import { diffText } from "../../src/install/apply/diff.ts";
import { installScene, openTestCluster, type Outcome } from "./support/install.ts";
import { apply, kubectl } from "./support/kubectl.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openTestCluster();
});
afterAll(() => cluster[Symbol.dispose]());

const registry = "Deployment/kpush-registry";
const text = (pattern: RegExp) => expect.stringMatching(pattern) as string;
const actions = (outcome: Outcome) => new Set(Object.values(outcome));

/** The object of this kind, for the test to change. */
function pick(objects: KubeObject[], kind: string): KubeObject & { spec: Record<string, unknown> } {
  const found = objects.find((object) => object.kind === kind);
  if (!found) throw new Error(`no ${kind}`);
  return found as KubeObject & { spec: Record<string, unknown> };
}

/** Changes the Deployment's template too, to see that nothing of a refused install is applied. */
function withAnnotation(objects: KubeObject[]): KubeObject[] {
  (pick(objects, "Deployment").metadata.annotations ??= {})["test"] = "1";
  return objects;
}

describe("on a cluster", () => {
  test("case 2: a second run changes nothing, the Secret neither", async () => {
    await using scene = await installScene(cluster, "apply-twice");
    expect(actions(await scene.apply(scene.objects()))).toEqual(new Set(["created"]));
    const secret = await scene.live("secret/kpush-registry-http");
    expect(secret["data"]).toEqual({ secret: text(/^[\w+/]{86}==$/) });
    const { generation } = (await scene.live("deployment/kpush-registry")).metadata;

    expect(actions(await scene.apply(scene.objects()))).toEqual(new Set(["unchanged"]));
    expect(diffText(await scene.plan(scene.objects()))).toBe("");
    expect((await scene.live("secret/kpush-registry-http")).metadata).toEqual(secret.metadata);
    expect((await scene.live("deployment/kpush-registry")).metadata.generation).toBe(generation);
  });

  test("what is no longer rendered is removed, and only what is changed is told as changed", async () => {
    await using scene = await installScene(cluster, "apply-prune");
    await scene.apply(scene.objects({ allowPush: ["user:jane"] }));
    await scene.kubectl("create", "configmap", "kpush-mine");
    const outcome = await scene.apply(scene.objects({ nodeAccess: "none" }));
    expect(outcome).toMatchObject({
      "DaemonSet/kpush-node-proxy": "removed",
      "ConfigMap/kpush-node-proxy": "removed",
      "RoleBinding/kpush-push": "removed",
      "PersistentVolumeClaim/kpush-registry-data": "unchanged",
      [registry]: "changed", // its pull address
    });
    const left = await scene.kubectl("get", "ds,cm,rolebinding,pvc", "-o", "name");
    expect(left.trim().split("\n").toSorted()).toEqual([
      "configmap/kpush-mine",
      "configmap/kpush-registry-config",
      "configmap/kube-root-ca.crt",
      "persistentvolumeclaim/kpush-registry-data",
    ]);
  });

  test("case 4: fields of other managers are named, and taken over with --force-conflicts", async () => {
    await using scene = await installScene(cluster, "apply-conflict");
    await scene.apply(scene.objects());
    await scene.kubectl("scale", "deployment/kpush-registry", "--replicas=2");
    await scene.kubectl("set", "image", "deployment/kpush-registry", "registry=registry:3");
    await scene.kubectl(
      "label",
      "service/kpush-registry",
      "app.kubernetes.io/part-of=x",
      "--overwrite",
    );
    const refused = await scene
      .apply(scene.objects({ nodeAccess: "none" }))
      .catch((e: unknown) => e);
    expect(refused).toMatchObject({ code: "INSTALL_CONFLICT", hint: text(/--force-conflicts/) });
    const [service, deployment] = String(refused).split("; deployment ");
    expect(service).toBe(
      "KpushError: someone else set what kpush would change: service kpush-e2e-apply-conflict/kpush-registry: .metadata.labels.app.kubernetes.io/part-of (set by kubectl-label)",
    );
    // Scaled to 0 nobody would own it: the API leaves a 0 out of what the manager set.
    expect(deployment).toBe(
      'kpush-e2e-apply-conflict/kpush-registry: .spec.replicas (set by kubectl by scale); .spec.template.spec.containers[name="registry"].image (set by kubectl-set)',
    );
    expect(await scene.kubectl("get", "daemonset", "-o", "name")).not.toBe("");

    const outcome = await scene.apply(scene.objects(), { forceConflicts: true });
    expect(outcome).toMatchObject({ [registry]: "changed", "Service/kpush-registry": "changed" });
    expect((await scene.live("deployment/kpush-registry"))["spec"]).toMatchObject({ replicas: 1 });
    expect(actions(await scene.apply(scene.objects()))).toEqual(new Set(["unchanged"]));
  });

  test("case 5: a Deployment with RollingUpdate gets Recreate", async () => {
    await using scene = await installScene(cluster, "apply-strategy");
    const old = scene.objects();
    pick(old, "Deployment").spec["strategy"] = { type: "RollingUpdate" };
    await scene.apply(old);
    expect((await scene.live("deployment/kpush-registry"))["spec"]).toMatchObject({
      strategy: { type: "RollingUpdate", rollingUpdate: {} },
    });
    const planned = await scene.plan(scene.objects());
    expect(diffText(planned)).toContain("+     type: Recreate");
    expect(await scene.apply(scene.objects())).toMatchObject({ [registry]: "changed" });
    expect((await scene.live("deployment/kpush-registry"))["spec"]).toMatchObject({
      strategy: { type: "Recreate" },
    });
    expect(actions(await scene.apply(scene.objects()))).toEqual(new Set(["unchanged"]));
  });

  test("case 6: a changed selector makes the Deployment anew, and leaves the claim", async () => {
    await using scene = await installScene(cluster, "apply-selector");
    const old = scene.objects({ nodeAccess: "none" });
    const spec = pick(old, "Deployment").spec as {
      selector: { matchLabels: Record<string, string> };
      template: { metadata: { labels: Record<string, string> } };
    };
    spec.selector.matchLabels["old"] = "1";
    spec.template.metadata.labels["old"] = "1";
    await scene.apply(old);
    await scene.kubectl("rollout", "status", "deployment/kpush-registry", "--timeout=120s"); // see ready
    const before = await scene.live("deployment/kpush-registry");
    const claim = await scene.live("pvc/kpush-registry-data");

    const next = scene.objects({ nodeAccess: "none" });
    expect(diffText(await scene.plan(next))).toMatch(
      /^# deployment .*kpush-registry: deleted and made anew \(spec\.selector cannot be changed\)\n/,
    );
    expect(await scene.apply(next)).toMatchObject({
      [registry]: "changed",
      "PersistentVolumeClaim/kpush-registry-data": "unchanged",
    });
    const after = await scene.live("deployment/kpush-registry");
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    expect((await scene.live("pvc/kpush-registry-data")).metadata.uid).toBe(claim.metadata.uid);
  });

  test("a Service that cannot become what is asked is made anew", async () => {
    await using scene = await installScene(cluster, "apply-service");
    await scene.apply(scene.objects({ nodeAccess: "none" }));
    const next = scene.objects({ nodeAccess: "none" });
    pick(next, "Service").spec["clusterIP"] = "None";
    const outcome = await scene.apply(next);
    expect(outcome).toMatchObject({ "Service/kpush-registry": "changed", [registry]: "unchanged" });
    const made = await scene.live("service/kpush-registry");
    expect(made["spec"]).toMatchObject({ clusterIP: "None" });
  });

  test.for([
    [{ size: "2Gi" }, /has 1Gi of class standard, and 2Gi were asked for: its class does not let/],
    [{ size: "500Mi" }, /has 1Gi of class standard, and 500Mi were asked for: .* cannot shrink/],
    [{ storageClass: "fast" }, /has 1Gi of class standard, and class fast was asked for/],
  ] as const)("case 7: %o is refused, and nothing is changed", async ([options, message]) => {
    await using scene = await installScene(
      cluster,
      `apply-claim-${String(Object.values(options)[0]).toLowerCase()}`,
    );
    await scene.apply(scene.objects({ nodeAccess: "none" }));
    await scene.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/kpush-registry-data");
    const wanted = withAnnotation(scene.objects({ nodeAccess: "none", ...options }));
    await expect(scene.apply(wanted)).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: text(message),
    });
    const { annotations = {} } = (await scene.live("deployment/kpush-registry")).metadata;
    expect(annotations["test"]).toBeUndefined();
  });

  test("case 7: a claim grows where its class lets it", async () => {
    const storageClass = "kpush-e2e-growing";
    await apply([
      {
        ...{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", allowVolumeExpansion: true },
        ...{ metadata: { name: storageClass }, provisioner: "kubernetes.io/host-path" },
      },
    ]);
    try {
      await using scene = await installScene(cluster, "apply-growth");
      await scene.apply(scene.objects({ nodeAccess: "none", storageClass }));
      await scene.kubectl(
        "wait",
        "--for=jsonpath={.status.phase}=Bound",
        "pvc/kpush-registry-data",
      );
      const grown = scene.objects({ nodeAccess: "none", size: "2Gi" });
      expect(await scene.apply(grown)).toMatchObject({
        "PersistentVolumeClaim/kpush-registry-data": "changed",
        [registry]: "unchanged",
      });
      expect((await scene.live("pvc/kpush-registry-data"))["spec"]).toMatchObject({
        resources: { requests: { storage: "2Gi" } },
      });
    } finally {
      await kubectl(["delete", "storageclass", storageClass]);
    }
  });

  test("case 8: a dry run where the namespace is not there yet plans all of it", async () => {
    await using scene = await installScene(cluster, "apply-absent");
    const planned = await scene.plan(scene.objects());
    expect(planned.map(({ action }) => action)).toEqual(planned.map(() => "create"));
    const diff = diffText(planned);
    expect(diff).toContain("# deployment kpush-e2e-apply-absent/kpush-registry: new\n+ apiVersion");
    expect(diff).toContain("secret: (hidden)");
    await expect(kubectl(["get", "namespace", scene.namespace])).rejects.toThrow("not found");
  });

  test("objects that others made are refused by name, and taken over only when told to", async () => {
    await using scene = await installScene(cluster, "apply-foreign");
    await kubectl(["create", "namespace", scene.namespace]);
    await scene.kubectl("create", "configmap", "kpush-registry-config", "--from-literal=mine=1");
    const objects = scene.objects({ nodeAccess: "none" });
    await expect(scene.apply(objects)).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: text(
        /: configmap kpush-e2e-apply-foreign\/kpush-registry-config \(not made by kpush\)$/,
      ),
      hint: text(/--take-ownership/),
    });
    expect(await scene.kubectl("get", "deployment", "-o", "name")).toBe("");
    const outcome = await scene.apply(objects, { takeOwnership: true });
    expect(outcome).toMatchObject({
      "ConfigMap/kpush-registry-config": "changed",
      [registry]: "created",
    });
    expect(outcome).not.toHaveProperty(`Namespace/${scene.namespace}`);
    const namespace = await scene.live(`namespace/${scene.namespace}`);
    expect(Object.keys(namespace.metadata.labels ?? {})).toEqual(["kubernetes.io/metadata.name"]);
  });

  test("a namespace that is being deleted is waited for by the user, not by chance", async () => {
    await using scene = await installScene(cluster, "apply-ending");
    await kubectl(["create", "namespace", scene.namespace]);
    const stuck = JSON.stringify({ metadata: { finalizers: ["kpush.dev/test"] } });
    await scene.kubectl("create", "configmap", "stuck");
    await scene.kubectl("patch", "configmap", "stuck", "-p", stuck);
    await kubectl(["delete", "namespace", scene.namespace, "--wait=false"]);
    try {
      await expect(scene.apply(scene.objects())).rejects.toMatchObject({
        code: "INSTALL_REFUSED",
        message: "namespace kpush-e2e-apply-ending is being deleted",
        hint: text(/kubectl wait --for=delete --timeout=5m namespace\/kpush-e2e-apply-ending$/),
      });
    } finally {
      await scene.kubectl("patch", "configmap", "stuck", "-p", '{"metadata":{"finalizers":null}}');
    }
  });

  test("an install that was cut off in the middle is finished by the next", async () => {
    await using scene = await installScene(cluster, "apply-cut");
    const objects = scene.objects({ nodeAccess: "none" });
    const controller = new AbortController();
    const planned = await scene.plan(objects);
    const { applyObjects } = await import("../../src/install/apply/apply.ts");
    const cut = applyObjects(
      cluster,
      planned,
      {},
      {
        signal: controller.signal,
        report: (event) => {
          if (event.type === "object" && event.kind === "Namespace")
            controller.abort(new Error("cut"));
        },
      },
    );
    await expect(cut).rejects.toThrow("cut");
    expect(await scene.kubectl("get", "deployment,configmap", "-o", "name")).not.toContain("kpush");
    const outcome = await scene.apply(objects);
    expect(outcome).toMatchObject({
      [`Namespace/${scene.namespace}`]: "unchanged",
      [registry]: "created",
    });
  });

  test("what the cluster does not take is told before anything is changed", async () => {
    await using scene = await installScene(cluster, "apply-invalid");
    const objects = scene.objects({ nodeAccess: "none" });
    await scene.apply(scene.objects({ nodeAccess: "none" }));
    pick(objects, "Deployment").spec["replicas"] = -1;
    pick(objects, "ConfigMap")["data"] = { "a b": "" };
    await expect(scene.apply(objects)).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: text(/configmap .*data\[a b\].*; deployment .*must be greater than or equal to 0/),
    });
  });
});
