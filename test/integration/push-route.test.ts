import { expect, test } from "vitest";
import { startWorld, type World } from "../fakes/world.ts";

const layers = ["one", "two", "three"];
const large = { names: ["app:v1"], layers, size: 400e6 };

/** What `-v` says of the route. */
const routeOf = ({ stderr }: { stderr: string }) => /route (\w+): ([^\n]+)/.exec(stderr)?.slice(1);

async function layerTypes({ registry }: World): Promise<string[]> {
  const answer = await fetch(`${registry.url}/v2/app/manifests/v1`);
  const { layers } = (await answer.json()) as { layers: { mediaType: string }[] };
  return layers.map(({ mediaType }) => mediaType.replace(/^.*\.(?=tar)/, ""));
}

test("in CI a large new image of overlay2 is uploaded by kpush, packed, and -v says why", async () => {
  await using world = await startWorld({ images: [large] });
  world.env["CI"] = "true";
  const run = await world.kpush(["-v", "app:v1", "--compression", "gzip"]);
  expect(run.code).toBe(0);
  expect(routeOf(run)).toEqual([
    "direct",
    expect.stringMatching(/^it should take [\d.]+ s, and the engine's own push [\d.]+ s$/),
  ]);
  expect(await layerTypes(world)).toEqual(["tar.gzip", "tar.gzip", "tar.gzip"]);
  expect((await world.kpush(["app:v1"])).stderr).toContain("unchanged");
});

test("a small one is pushed by the engine, and the registry is asked no more than it must", async () => {
  await using world = await startWorld({ images: [{ ...large, size: 5e6 }] });
  const run = await world.kpush(["-v", "app:v1"]);
  expect(routeOf(run)?.[0]).toBe("daemon");
  expect(world.registry.requests.slice(0, 3)).toEqual([
    "GET /v2/app/manifests/v1",
    "GET /v2/",
    expect.stringMatching(/^HEAD .*blobs/), // the engine's own
  ]);
});

test("a large image that the engine has pushed before goes by the engine when it is rebuilt", async () => {
  await using world = await startWorld({
    images: [large, { ...large, names: ["app:v2"], layers: [...layers, "four"] }],
  });
  await world.kpush(["app:v1", "--route", "daemon"]);
  expect(routeOf(await world.kpush(["-v", "app:v2"]))?.[0]).toBe("daemon");
});

test("elsewhere the engine pushes it, and knows its layers from then on", async () => {
  await using world = await startWorld({ images: [large] });
  expect(routeOf(await world.kpush(["-v", "app:v1"]))).toEqual([
    "daemon",
    "the engine remembers the layers that it pushes, for the next time",
  ]);
});

test("in CI, one that kpush has packed goes by kpush again: the engine would send all of it", async () => {
  await using world = await startWorld({
    images: [large, { ...large, names: ["app:v2"], layers: [...layers, "four"] }],
  });
  world.env["CI"] = "true";
  await world.kpush(["app:v1"]);
  const run = await world.kpush(["-v", "app:v2"]);
  expect(routeOf(run)?.[0]).toBe("direct");
  expect(run.stderr).toContain("1 of 4 layers sent");
});

test("an image of a containerd store that was packed is unchanged the next time", async () => {
  await using world = await startWorld({ kind: "containerd", images: [large] });
  const options = ["--route", "direct", "--compression", "gzip"];
  const first = await world.kpush(["app:v1", ...options]);
  expect(await layerTypes(world)).toEqual(["tar.gzip", "tar.gzip", "tar.gzip"]);
  const second = await world.kpush(["app:v1"]);
  expect(second).toMatchObject({ code: 0, stdout: first.stdout });
  expect(second.stderr).toContain("unchanged");
});

test("by itself, kpush leaves layers as they are that would hardly get smaller", async () => {
  await using world = await startWorld({ images: [large] });
  await world.kpush(["app:v1", "--route", "direct"]);
  expect(await layerTypes(world)).toEqual(["tar", "tar", "tar"]);
});

test("--compression none leaves layers as they are", async () => {
  await using world = await startWorld({ images: [large] });
  await world.kpush(["app:v1", "--route", "direct", "--compression", "none"]);
  expect(await layerTypes(world)).toEqual(["tar", "tar", "tar"]);
});

test.for(["lz4", "gzip:0", "zstd:99"])("--compression %s is a usage error", async (compression) => {
  await using world = await startWorld({ images: [large] });
  expect(await world.kpush(["app:v1", "--compression", compression])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("auto, none, gzip[:1-9] or zstd[:1-19]") as string,
  });
});
