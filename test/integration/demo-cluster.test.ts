import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startApiServer } from "../../src/demo/api-server.ts";
import { runClusterDemo, type ClusterDemoContext } from "../../src/demo/cluster-demo.ts";
import { runningPod } from "../../src/demo/pods.ts";
import { startRegistry } from "../../src/demo/registry.ts";

/** A cluster with a registry, and the context of a demo whose user says yes. */
async function demoCluster() {
  const directory = await mkdtemp(join(tmpdir(), "kpush-test-"));
  const registry = await startRegistry({ directory });
  const pod = runningPod({
    namespace: "kube-system",
    name: "kube-registry-v0-x7k2p",
    labels: { "k8s-app": "kube-registry" },
  });
  const server = await startApiServer({
    pods: [pod],
    context: "dev",
    closeDelay: 1,
    dial: () =>
      Promise.resolve(connect({ host: "127.0.0.1", port: registry.port, allowHalfOpen: true })),
  });
  const kubeconfig = join(directory, "kubeconfig");
  await writeFile(kubeconfig, server.kubeconfig());
  const interruption = new AbortController();
  const lines: string[] = [];
  const context: ClusterDemoContext = {
    surroundings: {
      env: {},
      home: directory,
      cwd: directory,
      platform: "linux",
      pluginStdin: "ignore",
      pluginStderr: () => undefined,
    },
    report: () => undefined,
    signal: interruption.signal,
    write: (line) => lines.push(line),
    confirm: () => Promise.resolve(true),
    yes: false,
  };
  return {
    registry,
    server,
    options: { kubeconfig },
    context,
    interruption,
    story: () => lines.join("\n"),
    /** Requests that the registry got and that change it. */
    changes: () => registry.requests.filter((line) => !/^(GET|HEAD) /.test(line)),
    manifests: () => registry.store.repositories.get("kpush-demo")?.manifests.size ?? 0,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

test("it says what it will do, pushes, fetches back, and deletes", async () => {
  await using demo = await demoCluster();
  let asked = "";
  const confirm = (): Promise<boolean> => {
    asked = demo.story();
    return Promise.resolve(true);
  };
  expect(await runClusterDemo(demo.options, { ...demo.context, confirm })).toBe(true);
  for (const word of ["dev", "kube-system", "kube-registry-v0-x7k2p", "kpush-demo:"]) {
    expect(asked).toContain(word);
  }
  expect(demo.story()).toMatch(/manifest {2}sha256:[0-9a-f]{64}.*the digest is right/);
  expect(demo.story()).toContain("The image is deleted");
  expect(demo.changes().at(-1)).toMatch(/^DELETE \/v2\/kpush-demo\/manifests\/sha256:/);
  expect(demo.manifests()).toBe(0);
});

test("where the user says no, nothing is written to the registry", async () => {
  await using demo = await demoCluster();
  const confirm = () => Promise.resolve(false);
  expect(await runClusterDemo(demo.options, { ...demo.context, confirm })).toBe(false);
  expect(demo.changes()).toEqual([]);
});

test("where nobody can be asked, it refuses before it asks the cluster anything", async () => {
  await using demo = await demoCluster();
  const context = { ...demo.context, confirm: undefined };
  await expect(runClusterDemo(demo.options, context)).rejects.toMatchObject({ code: "USAGE" });
  expect(demo.server.requests).toEqual([]);
});

test("told yes, it asks nobody", async () => {
  await using demo = await demoCluster();
  const context = { ...demo.context, confirm: undefined, yes: true };
  expect(await runClusterDemo(demo.options, context)).toBe(true);
});

test("a registry that does not delete is named plainly, and is no failure", async () => {
  await using demo = await demoCluster();
  demo.registry.onRequest = ({ method }, response) => {
    if (method !== "DELETE") return false;
    const errors = [{ code: "UNSUPPORTED", message: "The operation is unsupported." }];
    response.writeHead(405, { "content-type": "application/json" }).end(JSON.stringify({ errors }));
    return true;
  };
  expect(await runClusterDemo(demo.options, demo.context)).toBe(true);
  expect(demo.story()).toMatch(/The image stays in the registry, as kpush-demo:[0-9a-f]{8}: /);
});

test("interrupted after the push, it still deletes, and ends with the interruption", async () => {
  await using demo = await demoCluster();
  const write = (line: string): void => {
    demo.context.write(line);
    if (line.startsWith("localhost:5000/")) demo.interruption.abort(new Error("SIGINT"));
  };
  await expect(runClusterDemo(demo.options, { ...demo.context, write })).rejects.toThrow("SIGINT");
  expect(demo.story()).toContain("The image is deleted");
  expect(demo.manifests()).toBe(0);
});
