import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fakeImage, saveArchive } from "../fakes/engine-image.ts";
import { imageOf, tarOf } from "../fakes/image-archives.ts";
import { Layout, multiPlatform, named } from "../fakes/oci-layout.ts";
import { forbidden, refusing } from "../fakes/kube-answers.ts";
import { answerNodes, nodeList, nodesAsked } from "../fakes/nodes.ts";
import { startWorld, type World } from "../fakes/world.ts";

const arm = { names: ["app:v1"], layers: ["one", "two"], platform: "linux/arm64" };
const web = { names: ["web:v1"], layers: ["three"] };
const said = "error: the nodes are linux/amd64, this image is linux/arm64\n";

/** Nothing has reached the registry but questions. */
function expectNothingSent({ registry, engine }: World): void {
  expect(registry.requests).not.toEqual([]);
  for (const request of registry.requests) expect(request).toMatch(/^(?:GET|HEAD) /);
  for (const request of engine.requests) expect(request).not.toMatch(/\/(?:tag|push|get)\b/);
}

describe.each(["graph", "containerd", "podman"] as const)("from a %s engine", (kind) => {
  test("an image that no node runs is refused before anything is sent; --force sends it", async () => {
    await using world = await startWorld({ kind, images: [arm] });
    answerNodes(world.api, nodeList(["linux/amd64", "linux/amd64"]));
    const run = await world.kpush(["app:v1"]);
    expect(run).toMatchObject({ code: 3, stdout: "" });
    expect(run.stderr).toContain(
      `${said}hint: build it with --platform linux/amd64, or send it all the same with --force\n`,
    );
    expectNothingSent(world);
    expect(nodesAsked(world.api)).toEqual(["GET /api/v1/nodes?limit=250"]);
    const forced = await world.kpush(["--force", "app:v1"]);
    expect(forced).toMatchObject({ code: 0 });
    expect(forced.stdout).toMatch(/^localhost:5000\/app:v1@sha256:\w+\n$/);
    expect(nodesAsked(world.api)).toHaveLength(1); // nothing depends on them then
  });
});

describe("the nodes' platforms", () => {
  test("are asked for as metadata", async () => {
    await using world = await startWorld({ images: [arm] });
    let accepted: string | undefined;
    world.api.onRequest = (request) => {
      if (request.url?.startsWith("/api/v1/nodes")) accepted = request.headers.accept;
      return false;
    };
    expect(await world.kpush(["app:v1"])).toMatchObject({ code: 0 });
    expect(accepted).toBe("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
  });

  const { status, json } = refusing(forbidden("list", { apiVersion: "v1", kind: "Node" }));
  const unlabelled = { metadata: { name: "node9", labels: { "kubernetes.io/os": "linux" } } };
  test.for<[string, object, number?]>([
    ["may not be listed", json, status],
    ["are refused with a 401", {}, 401],
    ["are more than were told", nodeList(["linux/amd64"], { continue: "x" })],
    ["are none", nodeList([])],
    ["are not told of one of them", { metadata: {}, items: [unlabelled] }],
    ["fit, one of them", nodeList(["linux/amd64", "linux/arm64"])],
    ["are all of another system", nodeList(["windows/amd64"])],
    ["are no list", { items: "none" }],
    ["are nothing", []],
  ])("say nothing against an image where they %s", async ([, answer, code]) => {
    await using world = await startWorld({ images: [arm] });
    answerNodes(world.api, answer, code);
    expect(await world.kpush(["app:v1"])).toMatchObject({ code: 0 });
    expect(nodesAsked(world.api)).toHaveLength(1);
  });

  test("are not waited for longer than a moment, and not asked for any longer then", async () => {
    await using world = await startWorld({ images: [arm] });
    const held: ServerResponse[] = [];
    world.api.onRequest = (request, response) => {
      if (!request.url?.startsWith("/api/v1/nodes")) return false;
      held.push(response);
      return true;
    };
    const run = await world.kpush(["-v", "app:v1"]);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stderr).toContain("the platforms of the nodes are not known");
    const [asked] = held;
    if (asked && !asked.destroyed) await once(asked, "close");
    expect(held).toHaveLength(1);
  });

  test("do not matter to an image that the registry has", async () => {
    await using world = await startWorld({ images: [arm] });
    await world.kpush(["app:v1"]);
    answerNodes(world.api, nodeList(["linux/amd64"]));
    const again = await world.kpush(["app:v1"]);
    expect(again).toMatchObject({ code: 0 });
    expect(again.stderr).toContain("unchanged");
    const planned = await world.kpush(["--dry-run", "app:v1"]);
    expect(planned).toMatchObject({ code: 0 });
    expect(planned.stdout).toContain("nothing would be sent");
  });

  test("are asked once for several images, of which those that fit are pushed", async () => {
    await using world = await startWorld({ images: [arm, web] });
    answerNodes(world.api, nodeList(["linux/amd64"]));
    const run = await world.kpush(["app:v1", "web:v1", "--json"]);
    expect(run).toMatchObject({ code: 3 });
    expect(JSON.parse(run.stdout)).toMatchObject({
      ok: false,
      images: [
        {
          image: "app:v1",
          error: {
            code: "PLATFORM_MISMATCH",
            message: "the nodes are linux/amd64, this image is linux/arm64",
            hint: "build it with --platform linux/amd64, or send it all the same with --force",
          },
        },
        { image: "web:v1", pullRef: expect.stringContaining("localhost:5000/web:v1@") as string },
      ],
    });
    expect(nodesAsked(world.api)).toHaveLength(1);
  });

  test("are told by --dry-run too", async () => {
    await using world = await startWorld({ images: [arm] });
    answerNodes(world.api, nodeList(["linux/s390x", "linux/amd64", "linux/ppc64le"]));
    const run = await world.kpush(["--dry-run", "app:v1"]);
    expect(run).toMatchObject({ code: 3, stdout: "" });
    expect(run.stderr).toContain(
      "the nodes are linux/amd64, linux/ppc64le and linux/s390x, this image is linux/arm64\n",
    );
    const forced = await world.kpush(["--dry-run", "--force", "app:v1"]);
    expect(forced).toMatchObject({ code: 0 });
    expect(forced.stdout).toContain("2 of 2 layers");
    expectNothingSent(world);
  });
});

describe("an archive", () => {
  test("of one platform is refused where no node has it", async () => {
    await using world = await startWorld();
    answerNodes(world.api, nodeList(["linux/amd64"]));
    await writeFile(join(world.home, "app.tar"), await saveArchive(fakeImage(arm)));
    const run = await world.kpush(["app.tar"]);
    expect(run).toMatchObject({ code: 3, stdout: "" });
    expect(run.stderr).toContain(said);
    expectNothingSent(world);
  });

  test("of several platforms fits by any of them, or by the one that is chosen", async () => {
    await using world = await startWorld();
    const layout = new Layout();
    const parts = multiPlatform(layout, { amd64: imageOf(), arm64: imageOf() });
    await writeFile(join(world.home, "app.tar"), await tarOf(layout.entries([named(parts.index)])));
    answerNodes(world.api, nodeList(["linux/s390x"]));
    const whole = await world.kpush(["app.tar"]);
    expect(whole).toMatchObject({ code: 3, stdout: "" });
    expect(whole.stderr).toContain(
      "the nodes are linux/s390x, this image is linux/amd64 and linux/arm64\n",
    );
    answerNodes(world.api, nodeList(["linux/amd64"]));
    const one = await world.kpush(["app.tar", "--platform", "linux/arm64"]);
    expect(one).toMatchObject({ code: 3, stdout: "" });
    expect(one.stderr).toContain(said);
    expectNothingSent(world);
    expect(await world.kpush(["app.tar"])).toMatchObject({ code: 0 });
  });

  test("that holds no image has no platform", async () => {
    await using world = await startWorld();
    answerNodes(world.api, nodeList(["linux/amd64"]));
    const layout = new Layout();
    const chart = imageOf([Buffer.from("chart")], { os: undefined });
    await writeFile(
      join(world.home, "chart.tar"),
      await tarOf(layout.entries([named(layout.image(chart))])),
    );
    expect(await world.kpush(["chart.tar"])).toMatchObject({ code: 0 });
  });
});
