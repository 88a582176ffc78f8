import { describe, expect, test } from "vitest";
import type { Refusal } from "../fakes/kube-answers.ts";
import { installWorld, rendered } from "../fakes/install-world.ts";

const text = (pattern: RegExp) => expect.stringMatching(pattern) as string;
const namespace = "kpush-system";
const none = rendered({ nodeAccess: "none", storage: "emptydir" });

const hint = async (planning: Promise<unknown>): Promise<string> => {
  const error: unknown = await planning.catch((reason: unknown) => reason);
  return (error as { hint?: string }).hint ?? "";
};

describe("without the rights", () => {
  test("all that is missing is one error, with the commands that grant it", async () => {
    await using world = await installWorld();
    world.api.allow = (verb) => verb !== "patch";
    const planning = world.plan(rendered());
    await expect(planning).rejects.toMatchObject({
      code: "CLUSTER_FORBIDDEN",
      message:
        "you may not patch namespaces, nor patch configmaps, persistentvolumeclaims, services, deployments, daemonsets, networkpolicies in namespace kpush-system, in context test as tester",
    });
    expect(await hint(planning)).toMatchInlineSnapshot(`
      "an administrator can run kpush install in your place, or allow you to by:
      kubectl create namespace kpush-system
      kubectl label namespace kpush-system --overwrite pod-security.kubernetes.io/enforce=privileged
      kubectl apply -n kpush-system -f - <<'END'
      apiVersion: rbac.authorization.k8s.io/v1
      kind: Role
      metadata: {name: kpush-install}
      rules:
      - {apiGroups: [""], resources: [configmaps, services], verbs: [get, list, create, patch, delete]}
      - {apiGroups: [""], resources: [persistentvolumeclaims], verbs: [get, list, create, patch]}
      - {apiGroups: [""], resources: [secrets], verbs: [create]}
      - {apiGroups: ["apps"], resources: [deployments, daemonsets], verbs: [get, list, create, patch, delete]}
      - {apiGroups: ["networking.k8s.io"], resources: [networkpolicies], verbs: [get, list, create, patch, delete]}
      - {apiGroups: ["rbac.authorization.k8s.io"], resources: [roles], verbs: [get, list, create, patch, delete]}
      - {apiGroups: [""], resources: [events], verbs: [list]}
      - {apiGroups: ["apps"], resources: [replicasets], verbs: [list]}
      - {apiGroups: [""], resources: [pods], verbs: [get, list, create, delete]}
      - {apiGroups: [""], resources: [pods/portforward], verbs: [get, create]}
      END
      kubectl create rolebinding kpush-install -n kpush-system --role=kpush-install --user=tester"
    `);
  });

  test.for([
    ["a name that a shell would read", "o'neill $(id)", `--user='o'\\''neill $(id)'`],
    ["a service account", "system:serviceaccount:ci:builder", "--serviceaccount=ci:builder"],
    ["a mail address", "jane@example.com", "--user=jane@example.com"],
  ] as const)("the commands name %s", async ([, user, subject]) => {
    await using world = await installWorld();
    world.api.allow = () => false;
    world.store.user = user;
    expect((await hint(world.plan(rendered()))).endsWith(` ${subject}`)).toBe(true);
  });

  test("where the server does not say who it is, they name YOU", async () => {
    await using world = await installWorld();
    const answer = world.api.onRequest;
    world.api.allow = () => false;
    world.api.onRequest = (request, response) =>
      !request.url?.includes("selfsubjectreviews") && answer?.(request, response) === true;
    expect(await hint(world.plan(rendered()))).toMatch(/ --user=YOU$/);
  });

  test("a namespace that is there and may not be touched is left alone", async () => {
    await using world = await installWorld();
    world.store.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    world.api.allow = (_, resource) => resource !== "namespaces";
    const results = await world.install(none);
    expect(results.map(({ kind }) => kind)).not.toContain("Namespace");
    expect(new Set(results.map(({ action }) => action))).toEqual(new Set(["created"]));
  });

  test("a Role that may not be made is left out, unless somebody is to be bound to it", async () => {
    await using world = await installWorld();
    world.api.allow = (_, resource) => !resource.startsWith("role");
    expect(await world.install(none)).toContainEqual({
      ...{ kind: "Role", namespace, name: "kpush-push", action: "kept" },
      note: "you may not make roles: who else is to push needs one from an administrator",
    });
    await expect(world.plan(rendered({ allowPush: ["user:jane"] }))).rejects.toMatchObject({
      code: "CLUSTER_FORBIDDEN",
      message: text(/patch roles, rolebindings in namespace /),
    });
  });

  test("kinds that may not be listed are read one by one", async () => {
    await using world = await installWorld();
    await world.install(none);
    world.api.allow = (verb) => verb !== "list";
    const results = await world.install(none);
    expect(new Set(results.map(({ action }) => action))).toEqual(new Set(["unchanged"]));
  });

  test("what is forbidden only when it is applied is told with the commands too", async () => {
    await using world = await installWorld();
    const planned = await world.plan(none);
    world.api.allow = (_, resource) => resource !== "services";
    expect(await hint(world.apply(planned))).toContain("resources: [services]");
  });
});

describe("what the cluster refuses for other reasons", () => {
  const refusal = (message: string): Refusal => ({ status: 403, reason: "Forbidden", message });

  test.for([
    [
      "a quota",
      'services "kpush-registry" is forbidden: exceeded quota: all, requested: services=1',
    ],
    ["a webhook", 'admission webhook "no.example.com" denied the request: not here'],
  ] as const)("%s is not taken for a lack of rights", async ([, message]) => {
    await using world = await installWorld();
    await world.install(none);
    world.store.admit = ({ next }) => (next?.kind === "Service" ? refusal(message) : undefined);
    await expect(world.plan(none)).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: `the cluster does not take it: service kpush-system/kpush-registry: ${message}`,
    });
  });

  test("a server in trouble is not taken for a refusal", async () => {
    await using world = await installWorld();
    await world.install(none);
    world.store.admit = () => ({ status: 500, reason: "InternalError", message: "etcd is away" });
    await expect(world.plan(none)).rejects.toMatchObject({
      code: "CLUSTER_FAILED",
      message: text(/etcd is away$/),
    });
  });

  test("a namespace that ends meanwhile is named", async () => {
    await using world = await installWorld();
    world.store.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    const causes = [{ reason: "NamespaceTerminating", message: "", field: "metadata.namespace" }];
    world.store.admit = ({ live, next }) =>
      live || !next?.metadata.namespace ? undefined : { ...refusal("being terminated"), causes };
    await expect(world.plan(none)).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: "namespace kpush-system is being deleted",
    });
  });

  test("a claim that is being deleted is waited for: it cannot be had again", async () => {
    await using world = await installWorld();
    await world.install();
    const claim = world.store.find("PersistentVolumeClaim", "kpush-registry-data", namespace);
    if (!claim) throw new Error("no claim");
    const metadata = { ...claim.metadata, deletionTimestamp: "2024-01-01T00:00:00Z" };
    world.store.put({ ...claim, metadata });
    await expect(world.plan(rendered())).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: "persistentvolumeclaim kpush-system/kpush-registry-data is being deleted",
      hint: text(/persistentvolumeclaim\/kpush-registry-data -n kpush-system$/),
    });
  });

  test("objects of others are named with their maker, all of them", async () => {
    await using world = await installWorld();
    const labels = { "app.kubernetes.io/managed-by": "Helm" };
    world.store.put({
      ...{ apiVersion: "v1", kind: "Service" },
      metadata: { name: "kpush-registry", namespace, labels },
    });
    world.store.put({
      ...{ apiVersion: "apps/v1", kind: "Deployment" },
      metadata: { name: "kpush-registry", namespace },
    });
    await expect(world.plan(none)).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message:
        "objects of these names are there already: service kpush-system/kpush-registry (made by Helm), deployment kpush-system/kpush-registry (not made by kpush)",
    });
    const planned = await world.plan(none, { takeOwnership: true });
    expect(planned.filter(({ action }) => action === "change")).toHaveLength(2);
  });
});
