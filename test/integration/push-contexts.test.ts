import { randomBytes } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { push } from "../../src/index.ts";
import { Interrupted } from "../../src/output/interrupted.ts";
import { heldImage } from "../fakes/held.ts";
import { graphArchive, imageOf, streamOf, tarOf } from "../fakes/image-archives.ts";
import { twoClusters } from "../fakes/two-clusters.ts";

const app = { names: ["app:v1"], layers: ["one", "two"] };
const web = { names: ["web:v1"], layers: ["three"] };
const both = ["--context", "staging", "--context", "prod"];

test.for(["graph", "containerd", "podman"] as const)(
  "%s: an image goes to each context, a line each, and is asked for once",
  async (kind) => {
    await using two = await twoClusters({ kind, images: [app] });
    const run = await two.world.kpush([...both, "app:v1"]);
    const [digest] = await two.digests("app:v1");
    expect(run.stdout).toBe(`localhost:5000/app:v1@${digest}\n`.repeat(2));
    expect(await two.digests("app:v1")).toEqual([digest, digest]);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stderr).toContain("kpush-system/registry-of-staging in context staging\n");
    expect(run.stderr).toMatch(/^✔ app:v1 in prod {5}\d of \d layers sent/m);
    const { requests, images } = two.world.engine;
    expect(
      requests.filter((request) => request.startsWith("GET /images/app:v1/json")),
    ).toHaveLength(1);
    expect(images.flatMap(({ names }) => names)).toEqual(["app:v1"]);
    expect(two.world.registry.requests).toEqual([]);

    const again = await two.world.kpush([...both, "app:v1"]);
    expect(again).toMatchObject({ code: 0, stdout: run.stdout });
    expect(again.stderr.match(/unchanged/g)).toHaveLength(2);
  },
);

test("several images are told in their order, for each context in turn", async () => {
  await using two = await twoClusters({ images: [app, web] });
  const run = await two.world.kpush(["--json", ...both, "app:v1", "gone:v1", "web:v1"]);
  const error = { code: "IMAGE_NOT_FOUND" };
  const registry = (context: string) => ({ context, pod: `registry-of-${context}` });
  expect(JSON.parse(run.stdout)).toMatchObject({
    ok: false,
    images: ["staging", "prod"].flatMap((context) => [
      { image: "app:v1", context, route: "daemon" },
      { image: "gone:v1", context, error },
      { image: "web:v1", context, route: "daemon" },
    ]),
    registries: [registry("staging"), registry("prod")],
  });
  expect(JSON.parse(run.stdout)).not.toHaveProperty("registry");
  expect(run).toMatchObject({ code: 3, stderr: "" });

  const told = await two.world.kpush(["-q", ...both, "app:v1", "gone:v1", "web:v1"]);
  expect(told.stdout.match(/\w+:v1/g)).toEqual(["app:v1", "web:v1", "app:v1", "web:v1"]);
  expect(told.stderr).toMatch(/^error: gone:v1: [^\n]+\nhint: [^\n]+\n$/);
});

test("a cluster that is down keeps no image from the other", async () => {
  await using two = await twoClusters({ images: [app, web] });
  const { port } = two.staging.api;
  await writeFile(two.world.kubeconfig, JSON.stringify(two.merged).replace(`:${port}`, ":1"));
  const run = await two.world.kpush([...both, "app:v1"]);
  expect(run.stdout).toMatch(/^localhost:5000\/app:v1@sha256:\w+\n$/);
  expect(run.stderr).toMatch(/^✖ app:v1 in staging {2}failed$/m);
  expect(run.stderr).toMatch(/^error: app:v1 in staging: .*127\.0\.0\.1:1\b/m);
  expect(run.code).toBe(4);

  const several = await two.world.kpush([...both, "app:v1", "web:v1"]);
  expect(several.stdout.match(/\w+:v1/g)).toEqual(["app:v1", "web:v1"]);
  expect(several.stderr.match(/^error: .*?: /gm)).toEqual(["error: staging: "]);
  const { stdout } = await two.world.kpush(["--json", ...both, "app:v1"]);
  expect(JSON.parse(stdout)).toMatchObject({
    images: [
      { image: "app:v1", context: "staging", error: { code: "CLUSTER_UNREACHABLE" } },
      { image: "app:v1", context: "prod", route: "none" },
    ],
    registries: [{ context: "prod" }],
  });
});

test("contexts that cannot be reached have an error each", async () => {
  await using two = await twoClusters({ images: [app] });
  const args = ["--context", "prod", "--context", "nowhere", "-n", "empty", "app:v1"];
  const run = await two.world.kpush(args);
  expect(run).toMatchObject({ code: 5, stdout: "" });
  expect(run.stderr).toMatch(/^error: app:v1 in prod: there is no registry in context prod/m);
  expect(run.stderr).toMatch(/^error: app:v1 in nowhere: the kubeconfig has no context "nowhere"/m);
});

test.for(["graph", "containerd", "podman"] as const)(
  "%s: where kpush sends the layers, the engine exports the image once, however late a cluster answers",
  async (kind) => {
    const large = { names: ["app:v1"], layers: [randomBytes(3 << 20), randomBytes(3 << 20)] };
    await using two = await twoClusters({ kind, images: [large], reachesHost: false });
    const directory = join(two.world.home, "temporary");
    await mkdir(directory);
    two.world.env["TMPDIR"] = directory;
    const pushed = new Promise<void>((resolve) => {
      two.staging.registry.onRequest = (request) => {
        if (request.method === "PUT" && request.url?.includes("/manifests/")) resolve();
        return false;
      };
    });
    const { dial } = two.prod.api;
    two.prod.api.dial = (...to) => pushed.then(() => dial(...to));
    const run = await two.world.kpush([...both, "app:v1"]);
    expect(run.stdout).toMatch(/^(localhost:5000\/app:v1@sha256:\w+\n)\1$/);
    const held = await heldImage(two.staging.registry.url, "app", "v1");
    expect(held?.diffIds).toHaveLength(2);
    expect(await heldImage(two.prod.registry.url, "app", "v1")).toEqual(held);
    expect(two.world.engine.requests.filter((one) => /\/get\b/.test(one))).toHaveLength(1);
    expect(await readdir(directory)).toEqual([]);
  },
);

test("standard input is read once, for both", async () => {
  await using two = await twoClusters();
  const stdin = streamOf(await tarOf(graphArchive(imageOf())));
  const run = await two.world.kpush([...both, "-"], undefined, stdin);
  expect(run).toMatchObject({ code: 0 });
  expect(run.stdout.match(/app:v1/g)).toHaveLength(2);
  expect(await two.digests("app:v1")).toEqual([
    run.stdout.match(/sha256:\w+/)?.[0],
    run.stdout.match(/sha256:\w+/)?.[0],
  ]);
});

test("standard input that nobody would take is read no further, and each context says why", async () => {
  await using two = await twoClusters();
  const stdin = new PassThrough(); // which has no end
  stdin.write("the beginning of an archive");
  const run = await two.world.kpush([...both, "-n", "empty", "-"], undefined, stdin);
  expect(run).toMatchObject({ code: 5, stdout: "" });
  expect(run.stderr).toContain("error: - in staging: there is no registry in context staging");
  expect(run.stderr).toContain("error: - in prod: there is no registry in context prod");
  expect(stdin.destroyed).toBe(true);
});

test("a context that is given twice counts once", async () => {
  await using two = await twoClusters({ images: [app] });
  const run = await two.world.kpush(["--json", "--context", "prod", "--context=prod", "app:v1"]);
  expect(JSON.parse(run.stdout)).toMatchObject({ registry: { context: "prod" } });
  expect(run.stdout).not.toContain('"registries"');
});

test("two contexts that lead to one registry send the image once", async () => {
  await using two = await twoClusters({ images: [app] });
  const [, , prod] = two.merged.contexts;
  two.merged.contexts.push({ ...prod, name: "prod-admin" });
  await writeFile(two.world.kubeconfig, JSON.stringify(two.merged));
  const args = ["--context", "prod", "--context", "prod-admin", "--json", "app:v1"];
  const { images } = JSON.parse((await two.world.kpush(args)).stdout) as {
    images: { route: string }[];
  };
  expect(images.map(({ route }) => route).sort()).toEqual(["daemon", "none"]);
});

test("--dry-run tells of each context", async () => {
  await using two = await twoClusters({ images: [app] });
  await two.world.kpush(["--context", "prod", "app:v1"]);
  const run = await two.world.kpush(["--dry-run", ...both, "app:v1"]);
  expect(run.stdout).toMatch(/^localhost:5000\/app:v1 in staging {2}sent by the engine: /m);
  expect(run.stdout).toMatch(/^localhost:5000\/app:v1 in prod {2}unchanged: /m);
  expect((await two.digests("app:v1"))[0]).toBeUndefined();
});

test("an interruption ends the pushes to all, and leaves no temporary tag", async () => {
  const controller = new AbortController();
  let pushes = 0;
  await using two = await twoClusters({
    images: [app],
    fault(request) {
      if (!request.includes("/push?")) return undefined;
      pushes += 1;
      if (pushes === 2) controller.abort(new Interrupted("SIGINT", 2));
      return "hang";
    },
  });
  const run = await two.world.kpush([...both, "app:v1"], controller.signal);
  expect(run).toMatchObject({ code: 130, stdout: "" });
  expect(two.world.engine.images.flatMap(({ names }) => names)).toEqual(["app:v1"]);
});

test("programs hand a list, and get the context with each result", async () => {
  await using two = await twoClusters({ images: [app] });
  const { env, home } = two.world;
  const told: (string | undefined)[] = [];
  const options = { env, home, images: ["app:v1"] };
  const { ok, images } = await push({ ...options, context: ["prod", "staging"] }, (event) => {
    if (event.type === "done") told.push(event.context, event.image.context);
  });
  expect({ ok, contexts: images.map(({ context }) => context) }).toEqual({
    ok: true,
    contexts: ["prod", "staging"],
  });
  expect(told.sort()).toEqual(["prod", "prod", "staging", "staging"]);
  await expect(push({ ...options, context: [] })).rejects.toMatchObject({ code: "USAGE" });
});
