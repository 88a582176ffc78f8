import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PushedImage } from "../../src/events.ts";
import {
  graphArchive,
  imageOf,
  podmanArchive,
  tarOf,
  together,
  type TarEntry,
} from "../fakes/image-archives.ts";
import { Layout, multiPlatform, named } from "../fakes/oci-layout.ts";
import { startWorld, type World } from "../fakes/world.ts";

const small = (mark: string) => imageOf([Buffer.from("a base"), Buffer.from(mark)]);
const references = (stdout: string) =>
  stdout.split("\n").flatMap((line) => (line === "" ? [] : [line.split("@")[0]]));

async function inFile(world: World, entries: readonly TarEntry[], name = "both.tar") {
  await writeFile(join(world.home, name), await tarOf(entries));
}

async function inDirectory(world: World, entries: readonly TarEntry[]) {
  for (const entry of entries) {
    const path = join(world.home, "out", entry.name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "content" in entry ? entry.content : "");
  }
}

describe("an archive of several images", () => {
  const twoImages = together(
    graphArchive(small("one"), "one:v1"),
    graphArchive(small("two"), "acme/two:v2"),
  );

  test("is pushed whole, a reference line each", async () => {
    await using world = await startWorld();
    await inFile(world, twoImages);
    const run = await world.kpush(["./both.tar"]);
    expect(run.code).toBe(0);
    expect(references(run.stdout)).toEqual(["localhost:5000/one:v1", "localhost:5000/acme/two:v2"]);
    expect(run.stderr).toContain("one:v1 of ./both.tar");
    const again = await world.kpush(["./both.tar", "--json"]);
    const { images } = JSON.parse(again.stdout) as { images: PushedImage[] };
    expect(images.map(({ image, route }) => `${image} ${route}`)).toEqual([
      "one:v1 of ./both.tar none",
      "acme/two:v2 of ./both.tar none",
    ]);
  });

  test("in a layout, too", async () => {
    await using world = await startWorld();
    const layout = new Layout();
    const one = named(layout.image(small("one")), "docker.io/library/one:v1");
    const two = named(layout.image(small("two")), "ghcr.io/acme/two:v2");
    await inFile(world, layout.entries([one, two, { ...one, ...named(one, "one:stable") }]));
    const run = await world.kpush(["./both.tar"]);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stdout.split("\n")).toEqual([
      `localhost:5000/one:v1@${one.digest}`,
      `localhost:5000/one:stable@${one.digest}`,
      `localhost:5000/ghcr.io/acme/two:v2@${two.digest}`,
      "",
    ]);
  });

  test("takes no --name, which is for one", async () => {
    await using world = await startWorld();
    await inFile(world, twoImages);
    expect(await world.kpush(["./both.tar", "--name", "app:v1"])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("one:v1, acme/two:v2") as string,
    });
  });

  test("fails for the image alone that is damaged", async () => {
    await using world = await startWorld();
    const two = small("two");
    await inFile(
      world,
      together(
        graphArchive(small("one"), "one:v1"),
        graphArchive(two, "two:v1").filter(({ name }) => !name.startsWith(two.id.slice(7))),
      ),
    );
    const run = await world.kpush(["./both.tar"]);
    expect(run.code).toBe(3);
    expect(references(run.stdout)).toEqual(["localhost:5000/one:v1"]);
    expect(run.stderr).toContain("two:v1 of ./both.tar");
  });

  test("leaves out one without a name, and says so", async () => {
    await using world = await startWorld();
    const nameless = new Layout();
    const image = nameless.image(small("two"));
    const one = named(nameless.image(small("one")), "one:v1");
    await inFile(world, nameless.entries([one, image]));
    const run = await world.kpush(["./both.tar"]);
    expect(run).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("is left out") as string,
    });
    expect(run.stdout).toBe(`localhost:5000/one:v1@${one.digest}\n`);
    await inFile(world, nameless.entries([image, nameless.image(small("three"))]));
    expect(await world.kpush(["./both.tar"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("none has a name") as string,
    });
  });

  test("that have one name is refused", async () => {
    await using world = await startWorld();
    await inFile(
      world,
      together(graphArchive(small("one"), "app"), graphArchive(small("two"), "app:latest")),
    );
    expect(await world.kpush(["./both.tar"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("gives several images one name") as string,
    });
  });
});

test.for([
  "../../etc/passwd",
  "",
  "App:v1",
  "\u001b[2Jevil",
  "a".repeat(300),
  "app:v 1",
  "app@sha256:zz",
  "[::1]:5000/x",
])("a name like %j is told as the archive's own, with the way round it", async (name) => {
  await using world = await startWorld();
  await inFile(world, graphArchive(small("one"), name), "app.tar");
  const run = await world.kpush(["./app.tar"]);
  expect(run).toMatchObject({ code: 2, stdout: "" });
  expect(run.stderr).toMatch(/^error: the archive's own name for its image will not do: .+$/m);
  expect(run.stderr).toMatch(/^hint: choose a name with --name NAME\[:TAG\]$/m);
  expect(run.stderr).not.toContain("\u001b");
  expect(await world.kpush(["./app.tar", "--name", "app:v1"])).toMatchObject({ code: 0 });
});

test("an image with several names gets all of them, each place once", async () => {
  await using world = await startWorld();
  const image = small("one");
  const names = ["localhost/app:v1", "app:v1", "app:stable"];
  await inFile(world, together(...names.map((name) => podmanArchive(image, name))), "app.tar");
  const run = await world.kpush(["app.tar"]);
  expect(references(run.stdout)).toEqual(["localhost:5000/app:v1", "localhost:5000/app:stable"]);
  const renamed = await world.kpush(["app.tar", "--name", "other:v3"]);
  expect(references(renamed.stdout)).toEqual(["localhost:5000/other:v3"]);
});

test("what the images of an archive have in common is sent once", async () => {
  await using world = await startWorld();
  const image = small("one");
  await inFile(world, together(...["app:v1", "app:v2"].map((name) => graphArchive(image, name))));
  expect((await world.kpush(["./both.tar"])).code).toBe(0);
  const sent = world.registry.requests.filter((line) => /^PUT .*\/blobs\//.test(line));
  expect(sent).toHaveLength(image.layers.length + 1); // and the config
});

test("one platform of a layout in a directory is pushed, and is then unchanged", async () => {
  await using world = await startWorld();
  const layout = new Layout();
  const parts = multiPlatform(layout, { amd64: small("amd"), arm64: small("arm") });
  await inDirectory(world, layout.entries([named(parts.index)]));
  const whole = await world.kpush(["oci:out"]);
  expect(whole.stdout).toBe(`localhost:5000/app:v1@${parts.index.digest}\n`);
  const arguments_ = ["./out/", "--platform", "linux/arm64"];
  const one = await world.kpush(arguments_);
  expect(one.stdout).toBe(`localhost:5000/app:v1@${parts.arm64.digest}\n`);
  expect((await world.kpush(arguments_)).stderr).toContain("unchanged");
  expect(await world.kpush(["oci:out", "--platform", "linux/s390x"])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("it holds linux/amd64") as string,
  });
  expect(await readdir(world.home)).toContain("out");
});

test("a blob of a directory that is not what its name says, or no file, is refused", async () => {
  await using world = await startWorld();
  const layout = new Layout();
  const one = small("one");
  const image = named(layout.image(one));
  await inDirectory(world, layout.entries([image]));
  const config = join(world.home, "out/blobs/sha256", one.id.slice(7));
  const lie = one.config.toString().replace("amd64", "arm64");
  await writeFile(config, lie);
  const run = await world.kpush(["./out"]);
  expect(run).toMatchObject({ code: 3, stdout: "" });
  expect(run.stderr).toContain(one.id);
  await rm(config);
  await mkdir(config);
  expect(await world.kpush(["./out"])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(`${one.id} is missing`) as string,
  });
  expect(world.registry.requests).not.toContain("PUT /v2/app/manifests/v1");
});
