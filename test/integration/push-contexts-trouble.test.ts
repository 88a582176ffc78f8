import { randomBytes } from "node:crypto";
import { mkdir, readdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Interrupted } from "../../src/output/interrupted.ts";
import { twoClusters } from "../fakes/two-clusters.ts";

const both = ["--context", "staging", "--context", "prod"];
const large = (name: string) => ({ names: [name], layers: [randomBytes(3 << 20)] });
const isExport = (request: string) => /^GET \/images\/[^/]+\/get\b/.test(request);

test("an interruption ends an export that does not go on", async () => {
  const controller = new AbortController();
  await using two = await twoClusters({
    images: [large("app:v1")],
    reachesHost: false,
    fault: (request) => (isExport(request) ? { body: "the beginning", open: true } : undefined),
  });
  const directory = join(two.world.home, "temporary");
  await mkdir(directory);
  two.world.env["TMPDIR"] = directory;
  two.staging.registry.onRequest = () => {
    setImmediate(() => controller.abort(new Interrupted("SIGINT", 2)));
    return false;
  };
  const run = await two.world.kpush([...both, "app:v1"], controller.signal);
  expect(run).toMatchObject({ code: 130, stdout: "" });
  expect(await readdir(directory)).toEqual([]);
});

test("who comes after an export that broke has the engine export anew", async () => {
  let exports = 0;
  await using two = await twoClusters({
    images: [large("app:v1")],
    reachesHost: false,
    fault(request) {
      if (!isExport(request)) return undefined;
      exports += 1;
      return exports === 1 ? { body: "the beginning", cut: true } : undefined;
    },
  });
  const [, , prod] = two.merged.contexts;
  two.merged.contexts.push({ ...prod, name: "prod-admin" });
  await writeFile(two.world.kubeconfig, JSON.stringify(two.merged));
  const args = ["--context", "prod", "--context", "prod-admin", "app:v1"];
  const run = await two.world.kpush(args);
  expect(run.stdout).toMatch(/^localhost:5000\/app:v1@sha256:\w+\n$/);
  expect(run.code).toBe(3);
});

test("exports that have no room beside one another are not all kept", async () => {
  const directory = "/var/tmp";
  const { bavail, bsize } = await statfs(directory);
  const size = Math.floor(bavail * bsize * 0.6);
  await using two = await twoClusters({
    images: ["app:v1", "web:v1"].map((name) => ({ ...large(name), size })),
    reachesHost: false,
  });
  two.world.env["TMPDIR"] = directory;
  const run = await two.world.kpush([...both, "app:v1", "web:v1"]);
  expect(run).toMatchObject({ code: 0 });
  expect(two.world.engine.requests.filter(isExport)).toHaveLength(3);
});

test("a time limit that one context does not keep takes no reference from the other", async () => {
  await using two = await twoClusters({ images: [large("app:v1")] });
  await two.world.kpush(["--context", "staging", "app:v1"]);
  two.prod.api.dial = () => new Promise(() => undefined); // never answers
  const args = [...both, "--timeout", "3s", "app:v1"];
  const run = await two.world.kpush(args);
  expect(run.stdout).toMatch(/^localhost:5000\/app:v1@sha256:\w+\n$/);
  expect(run.stderr).toMatch(/^error: app:v1 in prod: the push did not end within 3 s$/m);
  expect(run.code).toBe(5);
});
