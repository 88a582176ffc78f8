import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import { diffText } from "../../src/install/apply/diff.ts";
import { applyObjects } from "../../src/install/apply/apply.ts";
import { installWorld, rendered } from "../fakes/install-world.ts";
import { conflict, invalid, type StoreRequest } from "../fakes/kube-answers.ts";

const actionsOf = (results: readonly { action: string }[]) =>
  new Set(results.map(({ action }) => action));
const text = (pattern: RegExp) => expect.stringMatching(pattern) as string;
const isDry = ({ query }: StoreRequest) => query.get("dryRun") === "All";
const isWrite = ({ method }: StoreRequest) => method !== "GET";
const namespace = "kpush-system";

describe("installing", () => {
  test("case 1: an empty cluster gets all of it, the Namespace first and what runs last", async () => {
    await using world = await installWorld();
    const results = await world.install(rendered({ allowPush: ["user:jane"] }));
    expect(results.map(({ kind, name, action }) => `${kind}/${name} ${action}`)).toEqual([
      "Namespace/kpush-system created",
      "ConfigMap/kpush-registry-config created",
      "ConfigMap/kpush-node-proxy created",
      "PersistentVolumeClaim/kpush-registry-data created",
      "Service/kpush-registry created",
      "Secret/kpush-registry-http created",
      "NetworkPolicy/kpush-registry created",
      "Role/kpush-push created",
      "Deployment/kpush-registry created",
      "DaemonSet/kpush-node-proxy created",
      "RoleBinding/kpush-push created",
    ]);
    expect(world.events).toEqual(results.map((result) => ({ type: "object", ...result })));
  });

  test("case 2: a second run writes nothing, and keeps the Secret", async () => {
    await using world = await installWorld();
    await world.install();
    const before = structuredClone(world.store.objects);
    world.store.requests.length = 0;
    expect(actionsOf(await world.install())).toEqual(new Set(["unchanged"]));
    expect(world.store.writes()).toEqual([]);
    expect(world.store.objects).toEqual(before);
  });

  test("what a controller did between the list and the dry run is no change of ours", async () => {
    await using world = await installWorld();
    await world.install();
    const claim = world.store.find("PersistentVolumeClaim", "kpush-registry-data", namespace);
    if (!claim) throw new Error("no claim");
    const answer = world.api.onRequest;
    let tellListed: (value: undefined) => void = () => undefined;
    const listed = new Promise((resolve) => (tellListed = resolve));
    world.api.onRequest = (request, response) => {
      const isClaim = request.url?.includes("persistentvolumeclaims");
      if (isClaim && request.method === "GET") response.on("finish", () => tellListed(undefined));
      if (!isClaim || request.method !== "PATCH") return answer?.(request, response) ?? false;
      void listed.then(() => {
        world.store.put({ ...claim, spec: { ...(claim["spec"] as object), volumeName: "pv-1" } });
        answer?.(request, response);
      });
      return true;
    };
    const planned = await world.plan(rendered());
    expect(actionsOf(planned)).toEqual(new Set(["keep"]));
  });

  test("a second run asks everything at once: one round trip", async () => {
    await using world = await installWorld();
    await world.install();
    const objects = rendered();
    // Each object and the Secret tried, the eight kinds listed, the Namespace read.
    const expected = objects.length + 1 + 8 + 1;
    const answer = world.api.onRequest;
    const held: (() => void)[] = [];
    world.api.onRequest = (request, response) => {
      held.push(() => answer?.(request, response));
      // None is answered before all have come: whoever waits for one here waits for ever.
      if (held.length === expected) for (const go of held) go();
      return true;
    };
    const planned = await world.plan(objects);
    expect(planned.map(({ action }) => action)).toEqual(planned.map(() => "keep"));
    expect(held).toHaveLength(expected);
  });

  test("case 3: applies carry kpush as field manager, and force only when told to", async () => {
    await using world = await installWorld();
    await world.install();
    const applied = world.store.requests.filter(({ method }) => method === "PATCH");
    expect(applied).not.toEqual([]);
    for (const { contentType, query } of applied) {
      expect(contentType).toBe("application/apply-patch+yaml");
      expect([query.get("fieldManager"), query.get("fieldValidation")]).toEqual([
        "kpush",
        "Strict",
      ]);
      expect(query.has("force")).toBe(false);
    }
    world.store.requests.length = 0;
    await world.install(rendered({ image: "registry:3" }), { forceConflicts: true });
    const forced = world.store.requests.filter(({ method }) => method === "PATCH");
    expect(new Set(forced.map(({ query }) => query.get("force")))).toEqual(new Set(["true"]));
    expect(world.store.writes()).toEqual(["PATCH deployments/kpush-registry"]);
  });

  test("case 4: a conflict stops it before anything is changed, and force goes past it", async () => {
    await using world = await installWorld();
    await world.install();
    world.store.requests.length = 0;
    world.store.admit = ({ next, request }) =>
      next?.kind === "Deployment" && !request.query.has("force")
        ? conflict("kubectl", ".spec.replicas", ".spec.paused")
        : undefined;
    const changed = rendered({ image: "registry:3", nodePort: 5001 });
    await expect(world.install(changed)).rejects.toMatchObject({
      code: "INSTALL_CONFLICT",
      exitCode: 4,
      message:
        "someone else set what kpush would change: deployment kpush-system/kpush-registry: .spec.paused, .spec.replicas (set by kubectl)",
      hint: text(/--force-conflicts/),
    });
    expect(world.store.writes()).toEqual([]);
    await world.install(changed, { forceConflicts: true });
    expect(world.store.writes()).toContain("PATCH deployments/kpush-registry");
  });

  test("case 4: a conflict that comes up after the plan is one too", async () => {
    await using world = await installWorld();
    world.store.admit = ({ next, request }) =>
      next?.kind === "Service" && !isDry(request) ? conflict("someone", ".spec.type") : undefined;
    await expect(world.install()).rejects.toMatchObject({ code: "INSTALL_CONFLICT" });
    expect(world.store.find("Deployment", "kpush-registry", namespace)).toBeUndefined();
    // What was done beside it is told.
    expect(world.events).toContainEqual(expect.objectContaining({ kind: "ConfigMap" }));
    world.store.admit = undefined;
    expect(actionsOf(await world.install())).toEqual(new Set(["created", "unchanged"]));
  });

  test("case 5: RollingUpdate is patched away before the Deployment is applied", async () => {
    await using world = await installWorld();
    await world.install();
    const live = world.store.find("Deployment", "kpush-registry", namespace) as KubeObject;
    const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } };
    world.store.put({ ...live, spec: { ...(live["spec"] as object), strategy } });
    world.store.admit = ({ next, request }) =>
      "rollingUpdate" in strategyOf(next) && request.contentType !== "application/json-patch+json"
        ? invalidUnless(strategyOf(next)["type"] === "RollingUpdate")
        : undefined;
    world.store.requests.length = 0;
    const results = await world.install();
    expect(results.filter(({ action }) => action !== "unchanged")).toEqual([
      { kind: "Deployment", namespace, name: "kpush-registry", action: "changed" },
    ]);
    const sent = world.store.requests.filter((request) => isWrite(request) && !isDry(request));
    expect(sent.map(({ contentType }) => contentType)).toEqual([
      "application/json-patch+json",
      "application/apply-patch+yaml",
    ]);
    const after = world.store.find("Deployment", "kpush-registry", namespace);
    expect(strategyOf(after)).toEqual({ type: "Recreate" });
  });

  test("case 6: a Deployment whose selector cannot change is made anew when it is gone", async () => {
    await using world = await installWorld();
    await world.install();
    const deployment = world.store.find("Deployment", "kpush-registry", namespace);
    const claim = world.store.find("PersistentVolumeClaim", "kpush-registry-data", namespace);
    world.store.admit = ({ next, live }) =>
      next?.kind === "Deployment" && live
        ? invalid("spec.selector", "field is immutable")
        : undefined;
    let looks = 0;
    world.store.onChange = (type, object) => {
      // Its pods take a while: it is seen three times more.
      if (type === "deleted" && looks === 0) world.store.put({ ...object });
    };
    const answer = world.api.onRequest;
    world.api.onRequest = (request, response) => {
      if (request.method === "GET" && request.url?.endsWith("deployments/kpush-registry")) {
        looks += 1;
        if (looks === 3) world.store.remove("Deployment", "kpush-registry", namespace);
      }
      return answer?.(request, response) ?? false;
    };
    const results = await world.install();
    expect(looks).toBe(3);
    expect(results.filter(({ action }) => action !== "unchanged")).toEqual([
      {
        ...{ kind: "Deployment", namespace, name: "kpush-registry", action: "changed" },
        note: "deleted and made anew: spec.selector cannot be changed",
      },
    ]);
    const after = world.store.find("Deployment", "kpush-registry", namespace);
    expect(after?.metadata.uid).not.toBe(deployment?.metadata.uid);
    expect(world.store.find("PersistentVolumeClaim", "kpush-registry-data", namespace)).toEqual(
      claim,
    );
  });

  test("case 6: nothing is deleted for a refusal that making it anew would not mend", async () => {
    await using world = await installWorld();
    await world.install();
    world.store.admit = ({ next }) =>
      next?.kind === "Deployment" ? invalid("spec.template", "field is immutable") : undefined;
    await expect(world.install()).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: text(/^the cluster does not take it: deployment kpush-system\/kpush-registry: /),
    });
    expect(world.store.writes().filter((one) => one.startsWith("DELETE"))).toEqual([]);
  });

  test("case 8: where the namespace is not there, all is planned to be made", async () => {
    await using world = await installWorld();
    const planned = await world.plan(rendered());
    expect(actionsOf(planned)).toEqual(new Set(["create"]));
    expect(world.store.writes()).toEqual([]);
    expect(diffText(planned)).toContain("secret: (hidden)");
  });

  test("a namespace that is to be there already and is not is refused", async () => {
    await using world = await installWorld();
    world.store.remove("Namespace", "kube-system");
    await expect(world.plan(rendered({ namespace: "kube-system" }))).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: "there is no namespace kube-system",
    });
  });

  test("an interrupted run is finished by the next", async () => {
    await using world = await installWorld();
    const controller = new AbortController();
    world.store.onChange = (_, { kind }) => {
      if (kind === "Service") controller.abort(new Error("interrupted"));
    };
    const planned = await world.plan(rendered());
    const context = { report: () => undefined, signal: controller.signal };
    await expect(applyObjects(world.cluster, planned, {}, context)).rejects.toThrow("interrupted");
    expect(world.store.find("Deployment", "kpush-registry", namespace)).toBeUndefined();
    await world.install();
    expect(actionsOf(await world.install())).toEqual(new Set(["unchanged"]));
  });

  test("the Secret that another install made at the same time is as good", async () => {
    await using world = await installWorld();
    const planned = await world.plan(rendered());
    const secret = { apiVersion: "v1", kind: "Secret", data: { secret: "dGhlaXJz" } };
    world.store.put({ ...secret, metadata: { name: "kpush-registry-http", namespace } });
    await world.apply(planned);
    expect(world.store.find("Secret", "kpush-registry-http", namespace)).toMatchObject(secret);
  });

  test("what kpush made and no longer renders goes; what others made does not", async () => {
    await using world = await installWorld();
    await world.install();
    const labels = {
      "app.kubernetes.io/managed-by": "kpush",
      "app.kubernetes.io/instance": "kpush",
    };
    const mine = { apiVersion: "v1", kind: "ConfigMap" };
    world.store.put({ ...mine, metadata: { name: "copied-with-labels", namespace, labels } });
    world.store.put({ ...mine, metadata: { name: "kpush-mine", namespace } });
    const results = await world.install(rendered({ nodeAccess: "none", storage: "emptydir" }));
    const removed = results.filter(({ action }) => action === "removed");
    expect(removed.map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      "DaemonSet/kpush-node-proxy",
      "ConfigMap/kpush-node-proxy",
    ]);
    for (const name of ["copied-with-labels", "kpush-mine"])
      expect(world.store.find("ConfigMap", name, namespace)).toBeDefined();
    expect(
      world.store.find("PersistentVolumeClaim", "kpush-registry-data", namespace),
    ).toBeDefined();
  });
});

const strategyOf = (object: KubeObject | undefined) =>
  (object?.["spec"] as { strategy?: Record<string, unknown> } | undefined)?.strategy ?? {};
const invalidUnless = (fine: boolean) =>
  fine ? undefined : invalid("spec.strategy.rollingUpdate", "may not be specified");
