import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cuttingProxy, endsOfCut, planOf } from "../fakes/cuts.ts";
import { heldImage, type HeldImage } from "../fakes/held.ts";
import { load, remove } from "./support/engine.ts";
import { engines } from "./support/environment.ts";
import { forwardTo, type Forward } from "./support/forward.ts";
import { writeImage, type ImageOptions } from "./support/images.ts";
import { kpush } from "./support/kpush.ts";
import { kubectl } from "./support/kubectl.ts";
import { registryIn } from "./support/registry.ts";

const KiB = 1024;
const namespace = "kpush-e2e-cuts";
const name = "kpush-e2e-cut:v1";
const image: ImageOptions = { name, layers: [600 * KiB, 1200 * KiB], seed: randomUUID() };

let directory: string;
let registry: AsyncDisposable;
let forward: Forward;
/** Pushes whose connection was cut; an engine that sends fewer bytes than planned is done before. */
let cut = 0;
let right: Pick<HeldImage, "id" | "diffIds">;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kpush-e2e-cuts-"));
  registry = await registryIn(namespace, "registry:3");
  await writeImage(join(directory, "app.tar"), image);
  for (const engine of engines) await load(engine, image);
  forward = await forwardTo(namespace, "rc/kube-registry-v0");
  const whole = await kpush(["-n", namespace, join(directory, "app.tar")]);
  expect(whole).toMatchObject({ code: 0 });
  const held = await heldImage(forward.url, ...target("kpush-e2e-cut"));
  if (!held) throw new Error("what was not cut is not there");
  right = { id: held.id, diffIds: held.diffIds };
});
afterAll(async () => {
  await forward[Symbol.asyncDispose]();
  for (const engine of engines) await remove(engine, name);
  await registry[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const target = (repository: string): [repository: string, tag: string] => [repository, "v1"];

const archive = { route: "direct", from: "an archive", host: "unix:///nowhere.sock", count: 20 };
const byEngine = engines.flatMap(({ name, host }) =>
  ["daemon", "direct"].map((route) => ({ route, from: name, host, count: 5 })),
);

describe.each([archive, ...byEngine])("from $from by the $route route", (scene) => {
  const { route, from, host, count } = scene;
  const seeds = Array.from({ length: count }, (_, at) => at + 1);
  test.concurrent.for(seeds)("ends right or says so, cut by seed %d", async (seed) => {
    const api = await apiServer();
    // Docker's graph store would try again for two minutes where nothing gets through any more.
    const stays = scene === archive ? 0.06 : 0;
    await using link = await cuttingProxy(api, planOf(seed, { up: 1700 * KiB, down: 2000 }, stays));
    const repository = `cut-${seed}-${from.replace(" ", "-").toLowerCase()}-${route}`;
    // Nothing that another push left: neither layers to mount nor a port that an engine knows.
    const own = join(directory, repository);
    await mkdir(own);
    await writeFile(join(own, "kubeconfig"), api.kubeconfig(link.port), { mode: 0o600 });
    const env = {
      KUBECONFIG: join(own, "kubeconfig"),
      XDG_STATE_HOME: join(own, "state"),
      XDG_CACHE_HOME: join(own, "cache"),
    };
    const source = scene === archive ? join(directory, "app.tar") : name;
    const args = ["-n", namespace, "--route", route, "--name", `${repository}:v1`, source];
    const run = await kpush(["--json", ...args], { env, host });
    if (link.made > 0) cut += 1;
    const held = await heldImage(forward.url, ...target(repository));
    if (held) expect(held).toMatchObject(right);
    const { images, error } = JSON.parse(run.stdout) as {
      images?: { digest?: string; error?: { code: string } }[];
      error?: { code: string };
    };
    if (run.code === 0) {
      expect(held?.digest).toBe(images?.[0]?.digest);
      return;
    }
    const { code } = error ?? images?.[0]?.error ?? {};
    expect(endsOfCut(route === "daemon")).toContainEqual({ exit: run.code, code });
  });
});

test("nearly all of them were cut", () => {
  expect(cut).toBeGreaterThanOrEqual(0.8 * (archive.count + 5 * byEngine.length));
});

/** Where the API server is, and the kubeconfig by which it is reached over another port of this machine. */
async function apiServer() {
  const view = ["config", "view", "--raw", "--flatten", "--minify", "-o", "json"];
  const config = JSON.parse(await kubectl(view)) as {
    clusters: { cluster: { server: string; "tls-server-name"?: string } }[];
  };
  const [{ cluster } = { cluster: { server: "" } }] = config.clusters;
  const { hostname, port } = new URL(cluster.server);
  return {
    host: hostname,
    port: Number(port || "443"),
    kubeconfig: (through: number) => {
      cluster.server = `https://127.0.0.1:${through}`;
      cluster["tls-server-name"] ??= "kubernetes"; // a name that every API server's certificate has
      return JSON.stringify(config);
    },
  };
}
