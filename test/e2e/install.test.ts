import { randomUUID } from "node:crypto";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clusterScript, skipUnless } from "./support/environment.ts";
import { writeImage } from "./support/images.ts";
import { kpush, start } from "./support/kpush.ts";
import { apply, kubectl, runOnEveryNode } from "./support/kubectl.ts";

const MiB = 1 << 20;
const digest = /@(sha256:[0-9a-f]{64})\n$/;

/** An archive with an image of this name, for pushes that need no engine. */
let archive: string;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kpush-e2e-install-"));
  archive = join(directory, "app.tar");
  await writeImage(archive, { name: "app:v1", layers: [MiB, MiB], seed: randomUUID() });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** What `--json` says became of each object, by kind. */
function actions(stdout: string): Record<string, string[]> {
  const { install } = JSON.parse(stdout) as {
    install: { objects: { kind: string; action: string }[] };
  };
  const byAction: Record<string, string[]> = {};
  for (const { kind, action } of install.objects) (byAction[action] ??= []).push(kind);
  return byAction;
}

/** Removes all that an installation in this namespace made, data too. */
async function removeAll(namespace: string): Promise<void> {
  const { code, stderr } = await kpush(["uninstall", "-n", namespace, "--delete-data", "-y"]);
  expect(code, stderr).toBe(0);
}

const onNode = async (node: number, ...command: string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(clusterScript, ["node", String(node), ...command]);
  return stdout;
};
const curl = (node: number, ...args: string[]) =>
  onNode(node, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "5", ...args).catch(
    (error: unknown) => (error as { stdout?: string }).stdout ?? "",
  );

describe("kpush install, from an empty cluster", () => {
  afterAll(() => removeAll("kpush-system"));
  let pushed: string;

  test("a dry run of the server's tells what it would make, and makes nothing", async () => {
    const run = await kpush(["install", "--dry-run=server", "--json"]);
    expect(run.code, run.stderr).toBe(0);
    expect(actions(run.stdout)["created"]).toHaveLength(10);
    await expect(kubectl(["get", "namespace", "kpush-system"])).rejects.toThrow("not found");
  });

  test("sets a registry up, and proves it on every node", async () => {
    const run = await kpush(["install"]);
    expect(run).toMatchObject({ code: 0, stdout: "localhost:5000\n" });
    expect(run.stderr).toMatch(/created +deployment kpush-system\/kpush-registry\n/);
    expect(run.stderr).toMatch(/proof +pushed, read back, and pulled on \d+ nodes?/);
    const pods = await kubectl(["get", "pods", "-n", "kpush-system", "-o", "name"]);
    expect(pods).not.toContain("proof");
  });

  test("a push then needs no option, and every node runs the image", async () => {
    const run = await kpush([archive]);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain("kpush-system/kpush-registry-");
    pushed = run.stdout.trim();
    await apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: "kpush-e2e-run" } }]);
    try {
      await runOnEveryNode(pushed, "kpush-e2e-run");
    } finally {
      await kubectl(["delete", "namespace", "kpush-e2e-run", "--wait=false"]);
    }
  });

  test("again, it changes nothing", async () => {
    const run = await kpush(["install", "--json"]);
    expect(run.code, run.stderr).toBe(0);
    expect(Object.keys(actions(run.stdout))).toEqual(["unchanged"]);
  });

  test("with another setting, it changes what that takes, and proves it again", async () => {
    const run = await kpush(["install", "--json", "--allow-push", "user:jane"]);
    expect(run.code, run.stderr).toBe(0);
    expect(actions(run.stdout)["created"]).toEqual(["RoleBinding"]);
    const who = ["auth", "can-i", "create", "pods", "--subresource=portforward"];
    expect(await kubectl([...who, "-n", "kpush-system", "--as", "jane"])).toBe("yes\n");
    const upgraded = await kpush(["install", "--json", "--node-push"]);
    expect(upgraded.code, upgraded.stderr).toBe(0);
    const { changed, removed } = actions(upgraded.stdout);
    expect({ changed, removed }).toEqual({
      changed: ["ConfigMap", "DaemonSet"],
      removed: ["RoleBinding"],
    });
    expect(JSON.parse(upgraded.stdout)).toMatchObject({
      install: { provedNodes: expect.arrayContaining([expect.any(String)]) as string[] },
    });
    await kpush(["install"]);
  });

  test.skipIf(skipUnless(clusterScript, "what a node may do", "no script reaches the nodes"))(
    "on a node, localhost:5000 can be read and not be written, and no other address of it is open",
    async () => {
      const address = (
        await kubectl([
          ...["get", "node", "node1"],
          ...["-o", "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}"],
        ])
      ).trim();
      for (const node of [1, 2]) {
        expect(await curl(node, "localhost:5000/v2/")).toBe("200");
        expect(await curl(node, "-X", "POST", "localhost:5000/v2/x/blobs/uploads/")).toBe("405");
        expect(await curl(node, "-X", "PUT", "localhost:5000/v2/x/manifests/v1")).toBe("405");
        expect(await curl(node, "-X", "DELETE", "localhost:5000/v2/x/manifests/v1")).toBe("405");
        expect(await curl(node, `${address}:5000/v2/`)).toBe("000");
      }
    },
  );

  test("the network policy lets nobody but the node proxies at the registry", async () => {
    const policy = JSON.parse(
      await kubectl(["get", "networkpolicy", "kpush-registry", "-n", "kpush-system", "-o", "json"]),
    ) as { spec: object };
    expect(policy.spec).toMatchObject({
      podSelector: { matchLabels: { "app.kubernetes.io/name": "kpush-registry" } },
      policyTypes: ["Ingress"],
      ingress: [
        {
          from: [
            { podSelector: { matchLabels: { "app.kubernetes.io/name": "kpush-node-proxy" } } },
          ],
        },
      ],
    });
  });

  test("status tells that all is well, and of the room that is left", async () => {
    const run = await kpush(["status", "--json"]);
    expect(run.code, run.stderr).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({
      ok: true,
      status: {
        ...{ healthy: true, namespace: "kpush-system", pullAddress: "localhost:5000" },
        storage: { claim: "kpush-registry-data", usedBytes: expect.any(Number) as number },
      },
    });
  });

  test("images outlive the pod, and with the claim an uninstall", async () => {
    const expected = digest.exec(`${pushed}\n`)?.[1];
    const unchanged = async () => {
      const run = await kpush([archive]);
      expect(run.code, run.stderr).toBe(0);
      expect(run.stderr).toContain("unchanged");
      expect(digest.exec(run.stdout)?.[1]).toBe(expected);
    };
    const selector = ["-l", "app.kubernetes.io/name=kpush-registry"];
    await kubectl(["delete", "pod", "-n", "kpush-system", ...selector]);
    await kubectl(["rollout", "status", "-n", "kpush-system", "deployment/kpush-registry"]);
    await unchanged();

    const removed = await kpush(["uninstall"]);
    expect(removed).toMatchObject({ code: 0, stdout: "" });
    expect(removed.stderr).toMatch(/kept +persistentvolumeclaim kpush-system\/kpush-registry-data/);
    expect((await kpush(["status"])).code).toBe(5);
    expect((await kpush(["uninstall"])).code).toBe(0);
    const again = await kpush(["install"]);
    expect(again.code, again.stderr).toBe(0);
    await unchanged();
  });
});

describe("another way", () => {
  test("an emptyDir is said to lose its images, and stays what is installed", async () => {
    const namespace = "kpush-e2e-emptydir";
    const options = ["-n", namespace, "--node-port", "5001"];
    try {
      const first = await kpush(["install", ...options, "--storage", "emptydir"]);
      expect(first, first.stderr).toMatchObject({ code: 0, stdout: "localhost:5001\n" });
      expect(first.stderr).toContain("warning: an emptyDir keeps its images as long as");
      const again = await kpush(["install", ...options, "--json"]);
      expect(Object.keys(actions(again.stdout))).toEqual(["unchanged"]);
    } finally {
      await removeAll(namespace);
    }
  });

  test("in kube-system, and on the nodes' own network", async () => {
    const options = ["-n", "kube-system", "--node-access", "hostnetwork", "--node-port", "5002"];
    try {
      const run = await kpush(["install", ...options]);
      expect(run, run.stderr).toMatchObject({ code: 0, stdout: "localhost:5002\n" });
      expect(run.stderr).not.toContain("namespace kube-system\n");
      const pushed = await kpush(["-n", "kube-system", archive]);
      expect(pushed.stdout).toMatch(/^localhost:5002\/app:v1@sha256:/);
      if (clusterScript !== "") {
        expect(await curl(1, "localhost:5002/v2/")).toBe("200");
        expect(await curl(1, "-X", "PUT", "localhost:5002/v2/x/manifests/v1")).toBe("405");
      }
    } finally {
      await removeAll("kube-system");
    }
    await kubectl(["get", "namespace", "kube-system"]);
  });

  test("Pod Security `baseline` on the namespace is told before anything is changed", async () => {
    const name = "kpush-e2e-baseline";
    const labels = { "pod-security.kubernetes.io/enforce": "baseline" };
    await apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } }]);
    try {
      const run = await kpush(["install", "-n", name, "--node-port", "5003"]);
      expect(run.code).toBe(4);
      expect(run.stderr).toMatch(/error: .*pod-security\.kubernetes\.io\/enforce/);
      expect(await kubectl(["get", "all", "-n", name, "-o", "name"])).toBe("");
      const none = await kpush(["install", "-n", name, "--node-access", "none"]);
      expect(none, none.stderr).toMatchObject({
        code: 0,
        stdout: `kpush-registry.${name}.svc:5000\n`,
      });
    } finally {
      await kubectl(["delete", "namespace", name, "--wait=false"]);
    }
  });

  test("Ctrl-C during the wait ends it, and another run goes on from there", async () => {
    const namespace = "kpush-e2e-interrupt";
    const options = ["install", "-n", namespace, "--node-access", "none", "--storage", "emptydir"];
    try {
      const first = start([...options, "--image", "localhost:1/not/there:v1"]);
      await first.saw(/created +deployment/);
      first.child.kill("SIGINT");
      const ended = await first.ended;
      expect(ended.code).toBe(130);
      expect(ended.stderr).toContain("what was applied stays");
      const second = await kpush([...options, "--json"]);
      expect(second.code, second.stderr).toBe(0);
      expect(actions(second.stdout)["changed"]).toEqual(["Deployment"]);
    } finally {
      await removeAll(namespace);
    }
  });
});
