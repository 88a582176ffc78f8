import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeImage } from "./support/images.ts";
import { kpush, start } from "./support/kpush.ts";
import { apply, kubectl, runOnEveryNode } from "./support/kubectl.ts";

const manifests = new URL("../../docs/manifests/old-registry.yaml", import.meta.url);
const owned = "app.kubernetes.io/managed-by=kpush";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kpush-e2e-addon-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** The old addon, in a namespace and on a port of the nodes; it is deleted in the end, its claim too. */
async function oldAddon(namespace: string, port: number) {
  const text = (await readFile(manifests, "utf8"))
    .replaceAll("namespace: kube-system", `namespace: ${namespace}`)
    .replaceAll("hostPort: 5000", `hostPort: ${port}`);
  const inside = (...args: string[]) => kubectl(["-n", namespace, ...args]);
  if (namespace !== "kube-system")
    await apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
  await apply(text);
  await inside("rollout", "status", "daemonset/kube-registry-proxy", "--timeout=120s");
  await inside("rollout", "status", "deployment/kube-registry", "--timeout=120s");
  return {
    inside,
    async remove() {
      await kpush(["uninstall", "-n", namespace, "--delete-data", "-y"]);
      await kubectl(["delete", "--ignore-not-found", "--wait=true", "-f", "-"], text);
      if (namespace !== "kube-system") await kubectl(["delete", "namespace", namespace]);
    },
  };
}

/** Pushes a new image; resolves with the name that nodes pull it by. */
async function push(name: string, namespace: string, port: number): Promise<string> {
  const file = join(directory, "image.tar");
  await writeImage(file, { name, layers: [200_000, 1000], seed: randomUUID() });
  const where = namespace === "kube-system" ? [] : ["-n", namespace];
  const run = await kpush([...where, file]);
  expect(run.code, run.stderr).toBe(0);
  // Only the new registry says which port it has; the old one is taken to have the usual one.
  return run.stdout.trim().replace(/^localhost:\d+/, `localhost:${port}`);
}

describe("a cluster with the old addon", () => {
  const [namespace, port] = ["kube-system", 5000];
  let old: string;
  let addon: Awaited<ReturnType<typeof oldAddon>>;
  beforeAll(async () => {
    addon = await oldAddon(namespace, port);
    old = await push("kpush-e2e/addon:old", namespace, port);
  });
  afterAll(() => addon.remove());

  test("is told what --replace-addon would do", async () => {
    const run = await kpush(["install", "--replace-addon", "--dry-run"]);
    expect(run, run.stderr).toMatchObject({ code: 0, stdout: `localhost:${port}\n` });
    expect(run.stderr).toContain(
      "on the same claim, kube-registry, and must serve kpush-e2e/addon:old",
    );
    expect(run.stderr).toMatch(/removed +deployment kube-system\/kube-registry\n/);
    expect(await addon.inside("get", "deployment,daemonset", "-l", owned, "-o", "name")).toBe("");
  });

  test("has it replaced, and says that it must run as root beside root's data", async () => {
    const run = await kpush(["install", "--replace-addon", "-y"]);
    expect(run, run.stderr).toMatchObject({ code: 0, stdout: `localhost:${port}\n` });
    expect(run.stderr).toContain("serves kpush-e2e/addon:old as before");
    expect(run.stderr).toContain("it runs as root, as the old one did");
    const left = "deployment/kube-registry,daemonset/kube-registry-proxy,configmap/kube-registry";
    expect(await addon.inside("get", ...left.split(","), "--ignore-not-found")).toBe("");
    expect(await addon.inside("get", "pvc/kube-registry", "-o", "name")).toContain(
      "/kube-registry",
    );
  });

  test("runs images under their old names on every node, and takes new ones", async () => {
    await runOnEveryNode(old, namespace);
    await runOnEveryNode(await push("kpush-e2e/addon:new", namespace, port), namespace);
  });

  test("still finds the registry by the name of the old Service", async () => {
    const address = (service: string) =>
      addon.inside("get", "endpoints", service, "-o", "jsonpath={.subsets}");
    expect(await address("kube-registry")).toMatch(/"ip"/);
    const ip = /"ip":"([^"]+)"/;
    const [a, b] = await Promise.all(["kube-registry", "kpush-registry"].map(address));
    expect(ip.exec(a ?? "")?.[1]).toBe(ip.exec(b ?? "")?.[1]);
  });

  test("keeps claim and user in a plain install, and the claim in an uninstall", async () => {
    const again = await kpush(["install", "-n", namespace]);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stderr).not.toMatch(/^\S+ (created|changed|removed) /m);
    const gone = await kpush(["uninstall", "-n", namespace, "--delete-data", "-y"]);
    expect(gone.stderr).toMatch(/kept +persistentvolumeclaim kube-system\/kube-registry - /);
    expect(await addon.inside("get", "pvc/kube-registry", "-o", "name")).toContain(
      "/kube-registry",
    );
  });
});

describe("a replacement that is cut off", () => {
  const [namespace, port] = ["kpush-e2e-addon", 5490];
  let old: string;
  let addon: Awaited<ReturnType<typeof oldAddon>>;
  beforeAll(async () => {
    addon = await oldAddon(namespace, port);
    old = await push("kpush-e2e/cut:old", namespace, port);
  });
  afterAll(() => addon.remove());
  const args = ["install", "--replace-addon", "-n", namespace, "-y"];

  test("by Ctrl-C, before the new registry is proved, has the old one back", async () => {
    const run = start(args);
    await run.saw(/created +deployment/);
    run.child.kill("SIGINT");
    const { code, stderr } = await run.ended;
    expect(code).toBe(130);
    expect(stderr).toContain("is as it was before; nothing of the old addon was removed");
    expect(await addon.inside("get", "all,networkpolicy,role", "-l", owned, "-o", "name")).toBe("");
    await addon.inside("rollout", "status", "deployment/kube-registry", "--timeout=60s");
    await runOnEveryNode(old, namespace);
  });

  test("by a missing right, before anything is changed, has changed nothing", async () => {
    await apply(mayAllButDelete("daemonsets", namespace));
    const run = await kpush([...args, "--as", "kpush-e2e-limited"]);
    expect(run.code, run.stderr).toBe(4);
    expect(run.stderr).toContain(
      `error: you may not delete daemonset ${namespace}/kube-registry-proxy in context`,
    );
    const replicas = "jsonpath={.spec.replicas}";
    expect(await addon.inside("get", "deployment/kube-registry", "-o", replicas)).toBe("1");
  });

  // Each run goes on where the one before was killed, and is killed a step further on.
  test.for<[string, RegExp]>([
    ["the old registry stands by", /stands by, at 0/],
    ["the new one is there", /(created|changed|unchanged) +deployment/],
    ["it has served an old image", /serves kpush-e2e\/cut:old as before/],
    ["the old proxies are gone", /removed +daemonset/],
    ["the new ones are proved", /pulled on \d nodes/],
  ])("by SIGKILL when %s is finished by the next run", async ([, moment]) => {
    const run = start(args);
    await run.saw(moment);
    run.child.kill("SIGKILL");
    await run.ended;
    expect(await addon.inside("get", "pvc/kube-registry", "-o", "name")).toContain(
      "/kube-registry",
    );
  });

  test("at each of these, is finished by the last run", async () => {
    const run = await kpush(args);
    expect(run, run.stderr).toMatchObject({ code: 0, stdout: `localhost:${port}\n` });
    const left = "deployment/kube-registry,daemonset/kube-registry-proxy,configmap/kube-registry";
    expect(await addon.inside("get", ...left.split(","), "--ignore-not-found")).toBe("");
    await runOnEveryNode(old, namespace);
    const done = await kpush(args);
    expect(done.stderr).toContain("replaced already");
    expect(done.code, done.stderr).toBe(0);
  });
});

/** Lets the user `kpush-e2e-limited` do all in the namespace, but delete objects of one kind. */
function mayAllButDelete(resource: string, namespace: string): object[] {
  const group = "rbac.authorization.k8s.io";
  const apiVersion = `${group}/v1`;
  const name = "kpush-e2e-limited";
  const metadata = { name, namespace };
  const all = { resources: ["*"], verbs: ["*"] };
  const others = ["deployments", "replicasets", "daemonsets"].filter((one) => one !== resource);
  const rules = [
    { apiGroups: ["", "networking.k8s.io", group], ...all },
    { apiGroups: ["apps"], resources: others, verbs: ["*"] },
    { apiGroups: ["apps"], resources: [resource], verbs: ["get", "list", "create", "patch"] },
  ];
  const roleRef = { apiGroup: group, kind: "Role", name };
  const subjects = [{ apiGroup: group, kind: "User", name }];
  return [
    { apiVersion, kind: "Role", metadata, rules },
    { apiVersion, kind: "RoleBinding", metadata, roleRef, subjects },
  ];
}
