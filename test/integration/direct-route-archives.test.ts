import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/image/digest.ts";
import { mediaTypes } from "../../src/image/manifest.ts";
import { openArchive } from "../../src/push/archive/source.ts";
import { openDirectWorld } from "../fakes/direct-push.ts";
import { graphArchive, imageOf, podmanArchive, tarOf } from "../fakes/image-archives.ts";
import { Layout, multiPlatform, named } from "../fakes/oci-layout.ts";

const signal = new AbortController().signal;
const small = () => imageOf([Buffer.from("one layer"), Buffer.from("another")]);

describe("an archive file", () => {
  test.for([
    ["Docker 20.10", graphArchive],
    ["Podman", podmanArchive],
  ] as const)(
    "of %s tells its names and id, and is pushed with its config",
    async ([, archive]) => {
      await using world = await openDirectWorld();
      const image = imageOf();
      const { digest } = await world.pushFile(await tarOf(archive(image)));
      expect(await world.served()).toMatchObject({
        digest,
        document: { config: { digest: image.id } },
      });
      expect(await world.leftovers()).toEqual([]);
    },
  );

  test("says what it is called and what would be pushed", async () => {
    await using world = await openDirectWorld();
    const image = small();
    const path = join(world.directory, "app.tar");
    await writeFile(path, await tarOf(graphArchive(image, "ghcr.io/acme/app:v2")));
    await using opened = await openArchive(path, { signal });
    const [archive] = opened.images;
    expect(archive).toMatchObject({ names: ["ghcr.io/acme/app:v2"], id: image.id });
    const content = await archive.content("linux/amd64");
    expect(archive.digest).toBe(content.manifests.at(-1)?.digest);
  });

  test("with a layout and a manifest.json, as of Docker 25 and later, keeps its digests", async () => {
    await using world = await openDirectWorld();
    const layout = new Layout();
    const image = small();
    const descriptor = layout.image(image);
    const docker = graphArchive(image).filter(
      ({ name }) => !name.endsWith(".json") || name === "manifest.json",
    );
    const config = { name: `${image.id.slice(7)}.json`, content: image.config };
    const { digest } = await world.pushFile(
      await tarOf([...layout.entries([named(descriptor)]), ...docker, config]),
    );
    expect(digest).toBe(descriptor.digest);
  });

  test("that is compressed is unpacked, whatever it is called", async () => {
    await using world = await openDirectWorld();
    const image = imageOf();
    await world.pushFile(gzipSync(await tarOf(graphArchive(image))), { name: "app.tar" });
    expect((await world.served()).document.config?.digest).toBe(image.id);
    expect(await world.leftovers()).toEqual([]);
  });

  test("with compressed layers, as jib and ko make it, goes up as it is", async () => {
    await using world = await openDirectWorld();
    const image = small();
    const layers = image.layers.map((bytes) => gzipSync(bytes));
    await world.pushFile(await tarOf(graphArchive({ ...image, layers })));
    expect((await world.served()).document.layers).toEqual(
      layers.map((bytes) => ({
        mediaType: mediaTypes.dockerGzipLayer,
        size: bytes.length,
        digest: digestOf(bytes),
      })),
    );
  });

  test("with hard links and ./ in front is read too", async () => {
    await using world = await openDirectWorld();
    const image = small();
    const [one, two] = ["a/layer.tar", "b/layer.tar"];
    const bytes = Buffer.from("same");
    const twice = imageOf([bytes, bytes], { cmd: image.id });
    await world.pushFile(
      await tarOf([
        { name: "./a/layer.tar", content: bytes },
        { name: "./b/layer.tar", hard: "./a/layer.tar" },
        { name: "./config.json", content: twice.config },
        {
          name: "./manifest.json",
          content: JSON.stringify([{ Config: "config.json", Layers: [one, two] }]),
        },
      ]),
    );
    expect((await world.served()).document.layers?.map(({ digest }) => digest)).toEqual(
      twice.diffIds,
    );
  });

  test("of several platforms is pushed whole, or one that is asked for", async () => {
    await using world = await openDirectWorld();
    const layout = new Layout();
    const parts = multiPlatform(layout, { amd64: small(), arm64: imageOf([Buffer.from("arm")]) });
    const bytes = await tarOf(layout.entries([named(parts.index)]));
    expect((await world.pushFile(bytes)).digest).toBe(parts.index.digest);
    expect((await world.pushFile(bytes, { platform: "linux/arm64" })).digest).toBe(
      parts.arm64.digest,
    );
    expect((await world.served()).document.layers).toHaveLength(1);
  });

  test("that lists its platforms in index.json itself is one image", async () => {
    await using world = await openDirectWorld();
    const layout = new Layout();
    const amd64 = { ...layout.image(small()), platform: { os: "linux", architecture: "amd64" } };
    const arm64 = {
      ...layout.image(imageOf([])),
      platform: { os: "linux", architecture: "arm64" },
    };
    await world.pushFile(await tarOf(layout.entries([amd64, arm64])));
    expect((await world.served()).document.manifests?.map(({ digest }) => digest)).toEqual([
      amd64.digest,
      arm64.digest,
    ]);
  });
});

test("a directory that is an OCI layout is pushed in place", async () => {
  await using world = await openDirectWorld();
  const layout = new Layout();
  const image = layout.image(small());
  const root = join(world.directory, "layout");
  for (const entry of layout.entries([named(image)])) {
    const path = join(root, entry.name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "content" in entry ? entry.content : "");
  }
  await using opened = await openArchive(root, { signal });
  const [archive] = opened.images;
  expect(archive.names).toEqual(["docker.io/library/app:v1"]);
  const { digest } = await world.push({
    kind: "archive",
    request: { image: "oci:layout" },
    archive,
  });
  expect(digest).toBe(image.digest);
});
