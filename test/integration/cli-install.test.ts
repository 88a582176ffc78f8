import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import type { Surroundings } from "../../src/cluster/types.ts";
import { runningPod } from "../../src/demo/pods.ts";
import type { JsonDocument } from "../../src/output/json.ts";
import { kubeStore, type KubeStore } from "../fakes/kube-store.ts";
import { nodeNamed, pulled } from "../fakes/kubelet.ts";
import { startWorld } from "../fakes/world.ts";
import { runMain } from "../unit/cli/run-main.ts";

const namespace = "kpush-system";

/** A cluster of one node that has nothing yet, and a user of the command line. */
interface Stage extends AsyncDisposable {
  store: KubeStore;
  kpush(...argv: string[]): ReturnType<typeof runMain>;
  /** The same on a terminal, where this is the answer to each question; `questions` has them. */
  answering(answer: string, ...argv: string[]): ReturnType<typeof runMain>;
  questions: string[];
}

async function stage(): Promise<Stage> {
  const world = await startWorld();
  world.api.pods = [];
  const store = kubeStore(world.api);
  store.put(nodeNamed("node1"));
  const standard = { "storageclass.kubernetes.io/is-default-class": "true" };
  store.put({
    ...{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass" },
    metadata: { name: "standard", annotations: standard },
  });
  store.onChange = (type, object) => {
    if (type !== "deleted") control(store, object);
    else if (object.kind === "Deployment") store.remove("Pod", "kpush-registry-1", namespace);
  };
  const { env, home } = world;
  const surroundings: Surroundings = {
    ...{ env, home, cwd: home, platform: "linux" },
    ...{ pluginStdin: "ignore", pluginStderr: () => undefined },
  };
  const questions: string[] = [];
  return {
    ...{ store, questions },
    kpush: (...argv) => runMain(argv, surroundings),
    answering: (answer, ...argv) =>
      runMain(argv, surroundings, undefined, (question) => {
        questions.push(question);
        return Promise.resolve(answer);
      }),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

/** What controllers and the kubelet make of an object. */
function control(store: KubeStore, object: KubeObject): void {
  const { generation: observedGeneration, name } = object.metadata;
  const one = { replicas: 1, readyReplicas: 1, updatedReplicas: 1, availableReplicas: 1 };
  const each = { desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1 };
  if (object.kind === "Deployment") {
    store.put({ ...object, status: { observedGeneration, ...one } });
    store.put(podOf(object, "kpush-registry-1"));
  } else if (object.kind === "DaemonSet") {
    store.put({ ...object, status: { observedGeneration, ...each, numberReady: 1 } });
    store.put(podOf(object, "kpush-node-proxy-1"));
  } else if (object.kind === "PersistentVolumeClaim")
    store.put({ ...object, status: { phase: "Bound", capacity: { storage: "20Gi" } } });
  else if (object.kind === "Pod" && name.startsWith("kpush-proof"))
    store.put({ ...object, status: pulled });
}

/** A ready pod of a workload. */
function podOf(workload: KubeObject, name: string): KubeObject {
  const { template } = workload["spec"] as { template: { metadata: object; spec: object } };
  const { metadata, status } = runningPod({ namespace, name });
  return {
    ...{ apiVersion: "v1", kind: "Pod", status },
    metadata: { ...metadata, ...template.metadata },
    spec: { ...template.spec, nodeName: "node1" },
  };
}

const documentOf = ({ stdout }: { stdout: string }) => JSON.parse(stdout) as JsonDocument;

describe("kpush install", () => {
  test("prints the address that nodes pull by, and tells the rest on stderr", async () => {
    await using cluster = await stage();
    const { status, stdout, stderr } = await cluster.kpush("install");
    expect(stderr).toMatch(/^✔ cluster {4}namespace kpush-system in context test\n/);
    expect(stderr).toContain("\n✔ created    deployment kpush-system/kpush-registry\n");
    expect(stderr).toMatch(/\n✔ proof {6}pushed, read back, and pulled on node1, [\d.]+ s\n$/);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "localhost:5000\n" });
  });

  test("says with -q nothing but the address", async () => {
    await using cluster = await stage();
    expect(await cluster.kpush("install", "-q", "--node-port", "5001")).toEqual({
      ...{ status: 0, stdout: "localhost:5001\n", stderr: "" },
    });
  });

  test("has a document of its own", async () => {
    await using cluster = await stage();
    const outcome = await cluster.kpush("install", "--json");
    const { install, ...rest } = documentOf(outcome);
    expect(rest).toEqual({ version: 1, ok: true, warnings: [] });
    expect(install).toEqual({
      context: "test",
      namespace,
      pullAddress: "localhost:5000",
      objects: expect.arrayContaining([
        { kind: "Namespace", name: namespace, action: "created" },
        { kind: "Deployment", namespace, name: "kpush-registry", action: "created" },
      ]) as unknown,
      provedNodes: ["node1"],
      provedDigest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
    });
    expect(outcome.stderr).toBe("");
  });

  test("waits for nothing, and proves nothing, with --wait=false", async () => {
    await using cluster = await stage();
    cluster.store.onChange = undefined;
    const { status, stderr } = await cluster.kpush("install", "--wait=false");
    expect(stderr).not.toMatch(/ready|proof/);
    expect(status).toBe(0);
  });

  test("fails with a document, too", async () => {
    await using cluster = await stage();
    cluster.store.remove("StorageClass", "standard");
    const outcome = await cluster.kpush("install", "--json");
    expect(documentOf(outcome)).toMatchObject({
      ...{ ok: false, error: { code: "INSTALL_REFUSED" } },
      install: { objects: [] },
    });
    expect(outcome).toMatchObject({ status: 4, stderr: "" });
  });

  test("fails with a document that has what was done until then", async () => {
    await using cluster = await stage();
    const { store } = cluster;
    store.admit = ({ next, request }) =>
      next?.kind === "Deployment" && !request.query.has("dryRun")
        ? { status: 500, reason: "InternalError", message: "etcdserver: request timed out" }
        : undefined;
    const { install, error } = documentOf(await cluster.kpush("install", "--json"));
    expect(error).toMatchObject({ code: "CLUSTER_FAILED" });
    const told = install?.objects ?? [];
    for (const { kind, name, action } of told) {
      expect(store.find(kind, name, kind === "Namespace" ? undefined : namespace)).toBeDefined();
      expect(action).toBe("created");
    }
    const kinds = told.map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(["Namespace", "Secret", "DaemonSet"]));
    expect(kinds).not.toContain("Deployment");
  });

  test("reads a file of settings once, as a shell's <(…) can be read no more often", async () => {
    await using cluster = await stage();
    const directory = await mkdtemp(join(tmpdir(), "kpush-config-"));
    const pipe = join(directory, "pipe");
    await promisify(execFile)("mkfifo", [pipe]);
    const written = writeFile(pipe, "log:\n  level: debug\n");
    const { status } = await cluster.kpush("install", "-q", "--config", pipe);
    await written;
    expect(status).toBe(0);
    const config = cluster.store.find("ConfigMap", "kpush-registry-config", namespace);
    expect(JSON.stringify(config)).toContain("level: debug");
    await rm(directory, { recursive: true });
  });

  test.for([["-o", "yaml"], ["-o", "json"], ["--list-images"]])(
    "asks no cluster with %s",
    async (argv) => {
      const { status, stdout, stderr } = await runMain(["install", ...argv]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toContain("registry:3");
    },
  );

  test("lists the images that it was given", async () => {
    const images = ["--image", "mirror.example/registry:3", "--proxy-image", "mirror.example/p:1"];
    const { stdout } = await runMain(["install", "--list-images", ...images]);
    expect(stdout).toBe("mirror.example/registry:3\nmirror.example/p:1\n");
    const without = ["install", "--list-images", "--node-access", "none"];
    expect((await runMain(without)).stdout).not.toContain("haproxy");
  });

  test("renders what it would apply, with all options, as YAML and as JSON", async () => {
    const options = ["--node-port", "5001", "--allow-push", "user:jane", "-n", "tools"];
    const { stdout: yaml } = await runMain(["install", "-o", "yaml", ...options]);
    const { stdout: json } = await runMain(["install", "-o", "json", ...options]);
    const { items } = JSON.parse(json) as { items: KubeObject[] };
    expect(yaml.split(/^---\n/m).map((one) => load(one))).toEqual(items);
    expect(items.map(({ metadata }) => metadata.namespace ?? metadata.name)).toEqual(
      items.map(() => "tools"),
    );
    expect(json).toContain('"hostPort": 5001');
    expect(json).toContain('"name": "jane"');
  });

  test("prints with --diff what would change, and changes nothing", async () => {
    await using cluster = await stage();
    await cluster.kpush("install", "-q");
    const before = structuredClone(cluster.store.objects);
    expect((await cluster.kpush("install", "--diff")).stdout).toBe("");
    const { stdout, status } = await cluster.kpush("install", "--diff", "--allow-push", "user:a");
    expect(stdout).toMatch(/^\+ kind: RoleBinding$/m);
    expect(status).toBe(0);
    expect(cluster.store.objects).toEqual(before);
  });

  test("takes its settings by the names that its use case has", async () => {
    const refused = await runMain(["install", "-o", "yaml", "--size", "lots"]);
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expect(refused.stderr).toContain("--size");
  });
});

describe("kpush status", () => {
  test("is a report on stdout", async () => {
    await using cluster = await stage();
    await cluster.kpush("install", "-q", "--allow-push", "group:dev");
    const { status, stdout, stderr } = await cluster.kpush("status");
    expect(stdout).toMatch(/^context {3}test\nregistry {2}kpush-system\/kpush-registry-1, ready\n/);
    expect(stdout).toContain("\nnodes     1 of 1 node ready, pull as localhost:5000/…\n");
    expect(stdout).toContain("\nmay push  group:dev\n");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("ends with 5 when something is wrong, and says what", async () => {
    await using cluster = await stage();
    await cluster.kpush("install", "-q");
    cluster.store.remove("PersistentVolumeClaim", "kpush-registry-data", namespace);
    const { status, stdout, stderr } = await cluster.kpush("status");
    expect(stdout).toMatch(/^problem {3}the claim kpush-registry-data is not there\n {10}hint: /m);
    expect(stderr).toMatch(
      /^error: the registry is not healthy: 1 problem, as listed\nhint: .*\n$/,
    );
    expect(status).toBe(5);
  });

  test("has a document, with the error where something is wrong", async () => {
    await using cluster = await stage();
    await cluster.kpush("install", "-q");
    const well = documentOf(await cluster.kpush("status", "--json"));
    expect(well).toMatchObject({ ok: true, status: { healthy: true, namespace, problems: [] } });
    expect(well).not.toHaveProperty("images");
    cluster.store.remove("PersistentVolumeClaim", "kpush-registry-data", namespace);
    const outcome = await cluster.kpush("status", "--json");
    expect(documentOf(outcome)).toMatchObject({
      ok: false,
      status: { healthy: false, problems: [{ message: expect.any(String) as string }] },
      error: { code: "NOT_HEALTHY" },
    });
    expect(outcome).toMatchObject({ status: 5, stderr: "" });
  });

  test("of nothing is an error that names the way out", async () => {
    await using cluster = await stage();
    const { status, stdout, stderr } = await cluster.kpush("status");
    expect(stderr).toMatch(/^error: kpush is not installed .*\nhint: kpush install sets one up/);
    expect({ status, stdout }).toEqual({ status: 5, stdout: "" });
  });
});

describe("kpush uninstall", () => {
  const claimOf = ({ store }: Stage) =>
    store.find("PersistentVolumeClaim", "kpush-registry-data", namespace);

  test("says what it removed and what it kept, and prints nothing", async () => {
    await using cluster = await stage();
    await cluster.kpush("install", "-q");
    const { status, stdout, stderr } = await cluster.answering("n", "uninstall");
    expect(stderr).toContain("\n✔ removed    deployment kpush-system/kpush-registry\n");
    expect(stderr).toMatch(/^✔ kept {7}persistentvolumeclaim .*kpush-registry-data - /m);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(cluster.questions).toEqual([]);
  });

  test("asks before it deletes images, and names the cluster", async () => {
    await using cluster = await stage();
    await cluster.kpush("install", "-q");
    const { status, stderr } = await cluster.answering("n", "uninstall", "--delete-data");
    expect(cluster.questions).toEqual([
      "Remove the registry in kpush-system of context test, with all images in it? [y/N] ",
    ]);
    const no = { status: 2, stderr: "error: nothing was done, as you said no\n" };
    expect({ status, stderr }).toEqual(no);
    expect(await cluster.answering("n", "demo", "--cluster")).toMatchObject(no);
    expect(cluster.store.find("Deployment", "kpush-registry", namespace)).toBeDefined();

    await cluster.answering("y", "uninstall", "--delete-data");
    expect(claimOf(cluster)).toBeUndefined();
    await cluster.answering("y", "uninstall", "--delete-data");
    expect(cluster.questions).toHaveLength(3);
  });

  test.for(["-y", "--yes"])("does not ask with %s", async (yes) => {
    await using cluster = await stage();
    await cluster.kpush("install", "-q");
    expect(await cluster.kpush("uninstall", "-q", "--delete-data", yes)).toEqual({
      ...{ status: 0, stdout: "", stderr: "" },
    });
    expect(claimOf(cluster)).toBeUndefined();
  });

  test("deletes no images where it cannot ask", async () => {
    await using cluster = await stage();
    await cluster.kpush("install", "-q");
    const { status, stderr } = await cluster.kpush("uninstall", "--delete-data");
    expect(stderr).toBe(
      "error: kpush uninstall --delete-data asks first, and there is no terminal to ask on\n" +
        "hint: kpush uninstall --delete-data --yes goes on without asking\n",
    );
    expect(status).toBe(2);
    expect(claimOf(cluster)).toBeDefined();
  });

  test("asks nothing and removes nothing with --dry-run", async () => {
    await using cluster = await stage();
    await cluster.kpush("install", "-q");
    const before = structuredClone(cluster.store.objects);
    const { stderr } = await cluster.kpush("uninstall", "--delete-data", "--dry-run");
    expect(stderr).toMatch(
      /✔ removed {4}persistentvolumeclaim .*\n(.*\n)*✔ dry run {4}nothing was/,
    );
    const { uninstall } = documentOf(await cluster.kpush("uninstall", "--json", "--dry-run"));
    expect(uninstall).toMatchObject({ context: "test", namespace, dryRun: true });
    expect(cluster.store.objects).toEqual(before);
  });
});
