import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fakeImage, saveArchive } from "../fakes/engine-image.ts";
import { startWorld, type World } from "../fakes/world.ts";

const base = "b".repeat(3000);
const history = [
  { created_by: "/bin/sh -c #(nop) ADD file:1f in / " },
  { created_by: '/bin/sh -c #(nop)  CMD ["sh"]', empty_layer: true as const },
  { created_by: "COPY . . # buildkit" },
];
const app = (...names: string[]) => ({ names, history, layers: [base, "a".repeat(1000)] });
const rebuilt = (...names: string[]) => ({ names, history, layers: [base, "c".repeat(2000)] });

/** Method of each request that the registry got while `run` ran. */
async function asked<T>(world: World, run: () => Promise<T>): Promise<[T, string[]]> {
  const before = world.registry.requests.length;
  const result = await run();
  return [result, world.registry.requests.slice(before)];
}

const reading = expect.stringMatching(/^(?:GET|HEAD) /) as string;

describe.each(["graph", "containerd", "podman"] as const)("--dry-run from a %s engine", (kind) => {
  test("lists what a rebuilt image would send, and sends nothing", async () => {
    await using world = await startWorld({ kind, images: [app("app:v1"), rebuilt("app:v2")] });
    await world.kpush(["app:v1"]);
    const engineBefore = world.engine.requests.length;
    const [run, requests] = await asked(world, () => world.kpush(["--dry-run", "app:v2"]));
    expect(run.stdout).toBe(`\
localhost:5000/app:v2  sent by the engine: ${reasonOf(run.stdout)}
  present  3.0 kB  ADD file:1f in /
  new      2.0 kB  COPY . .
  1 of 2 layers, 2.0 kB of 5.0 kB would be sent
`);
    expect(run.code).toBe(0);
    expect(requests).not.toEqual([]);
    for (const request of requests) expect(request).toEqual(reading);
    for (const request of world.engine.requests.slice(engineBefore))
      expect(request).toMatch(/^GET \/|^POST \/auth$/);
    expect(world.engine.images.flatMap(({ names }) => names)).toEqual(["app:v1", "app:v2"]);
    expect((await fetch(`${world.registry.url}/v2/app/manifests/v2`)).status).toBe(404);
  });

  test("says that an image is unchanged", async () => {
    await using world = await startWorld({ kind, images: [app("app:v1")] });
    await world.kpush(["app:v1"]);
    const [run, requests] = await asked(world, () => world.kpush(["app:v1", "--dry-run"]));
    expect(run.stdout).toMatch(/^localhost:5000\/app:v1 {2}unchanged: .*\n(?: {2}present .*\n){2}/);
    expect(run.stdout).toMatch(/\n {2}nothing would be sent\n$/);
    expect(requests).toEqual(["GET /v2/app/manifests/v1"]);
  });

  test("and -v tells the same of a push", async () => {
    await using world = await startWorld({ kind, images: [app("app:v1")] });
    const run = await world.kpush(["-v", "app:v1"]);
    expect(run.stderr).toMatch(/^· app:v1 +sent {2}3\.0 kB {2}ADD file:1f in \/$/m);
    expect(run.stderr).toMatch(/^· app:v1 +sent {2}1\.0 kB {2}COPY \. \.$/m);
    expect(run.stdout).toMatch(/^localhost:5000\/app:v1@sha256:\w+\n$/);
  });

  test("and without -v the engine is not asked for a history", async () => {
    await using world = await startWorld({ kind, images: [app("app:v1")] });
    await world.kpush(["app:v1"]);
    expect(world.engine.requests.filter((request) => request.includes("/history"))).toEqual([]);
  });
});

/** The machine's cores and the way decide it. */
function reasonOf(stdout: string): string {
  return /^\S+ {2}sent by the engine: (.*)$/m.exec(stdout)?.[1] ?? "";
}

describe("--dry-run", () => {
  test("looks for a layer in another repository without mounting it", async () => {
    await using world = await startWorld({ images: [app("app:v1")] });
    await world.kpush(["--route", "direct", "app:v1"]);
    const args = ["--dry-run", "--route", "direct", "--name", "other:v1", "app:v1"];
    const [run, requests] = await asked(world, () => world.kpush(args));
    expect(run.stdout).toContain("  no new layer among 2\n");
    for (const request of requests) expect(request).toEqual(reading);
  });

  test("reads an archive's own history", async () => {
    await using world = await startWorld();
    await writeFile(join(world.home, "app.tar"), await saveArchive(fakeImage(app("app:v1"))));
    const [run, requests] = await asked(world, () => world.kpush(["--dry-run", "app.tar"]));
    expect(run).toMatchObject({
      code: 0,
      stdout: `\
localhost:5000/app:v1  sent by kpush: it comes from an archive
  new  3.0 kB  ADD file:1f in /
  new  1.0 kB  COPY . .
  2 of 2 layers, 4.0 kB of 4.0 kB would be sent
`,
    });
    for (const request of requests) expect(request).toEqual(reading);
    expect(world.engine.requests).toEqual([]);
  });

  test("has no reference in --json, but the layers", async () => {
    await using world = await startWorld({ images: [app("app:v1")] });
    const run = await world.kpush(["--dry-run", "--json", "app:v1", "none:v1", "--tag", "t"]);
    expect(run.stdout).not.toContain("pullRef");
    expect(run).toMatchObject({ code: 3, stderr: "" });
    expect(JSON.parse(run.stdout)).toMatchObject({
      ok: false,
      images: [
        {
          ...{ image: "app:v1", dryRun: true, target: "localhost:5000/app:v1", tags: ["v1", "t"] },
          ...{ layersToSend: 2, layersTotal: 2, bytesToSend: 4000, totalBytes: 4000 },
          layers: [
            { present: false, bytes: 3000, step: "ADD file:1f in /" },
            { present: false, bytes: 1000, step: "COPY . ." },
          ],
        },
        { image: "none:v1", error: { code: "IMAGE_NOT_FOUND" } },
      ],
    });
  });

  test("of several images tells of each, also with -q, and with --all-tags", async () => {
    await using world = await startWorld({
      images: [app("app:v1"), rebuilt("app:v2"), app("web:v1")],
    });
    const heads = ({ stdout }: { stdout: string }) => stdout.match(/^localhost:5000\/\S+/gm);
    const several = await world.kpush(["--dry-run", "-q", "app:v2", "web:v1"]);
    expect(several).toMatchObject({ code: 0, stderr: "" });
    expect(heads(several)).toEqual(["localhost:5000/app:v2", "localhost:5000/web:v1"]);
    const tags = await world.kpush(["--dry-run", "--all-tags", "app"]);
    expect(heads(tags)).toEqual(["localhost:5000/app:v1", "localhost:5000/app:v2"]);
  });

  test("remembers only how to reach the registry", async () => {
    await using world = await startWorld({ images: [app("app:v1")] });
    await world.kpush(["--dry-run", "app:v1"]);
    const files = await readdir(world.home, { recursive: true });
    const written = files
      .filter((name) => name.includes("kpush/"))
      .map((name) => name.split("kpush/")[1]);
    expect(
      written.filter((name) => !/^(?:ports|pods|engines)(?:\/\w+)?$/.test(name ?? "")),
    ).toEqual([]);
  });

  test("tells nothing of the steps of an image without a history, and of none of no layers", async () => {
    const layers = [base, "a".repeat(1000)];
    await using world = await startWorld();
    const put = async (name: string, content: string[]) =>
      writeFile(
        join(world.home, name),
        await saveArchive(fakeImage({ names: ["x:v1"], layers: content })),
      );
    await put("two.tar", layers);
    await put("none.tar", []);
    const two = await world.kpush(["--dry-run", "two.tar"]);
    expect(two.stdout).toMatch(/\n {2}new {2}3\.0 kB\n {2}new {2}1\.0 kB\n {2}2 of 2 layers/);
    const none = await world.kpush(["--dry-run", "none.tar"]);
    expect(none.stdout).toMatch(/archive\n {2}no new layer among 0\n$/);
  });

  test("and a push with -v do without a history that the engine does not tell", async () => {
    const fault = (request: string) =>
      request.includes("/history") ? { status: 500, body: "{}" } : undefined;
    await using world = await startWorld({ images: [app("app:v1")], fault });
    const planned = await world.kpush(["--dry-run", "app:v1"]);
    expect(planned).toMatchObject({ code: 0 });
    expect(planned.stdout).toMatch(/\n {2}new\n {2}new\n {2}2 of 2 layers would be sent\n$/);
    expect(await world.kpush(["-v", "app:v1"])).toMatchObject({ code: 0 });
  });
});
