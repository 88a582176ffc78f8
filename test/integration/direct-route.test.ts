import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { mediaTypes } from "../../src/image/manifest.ts";
import { engineOf, openDirectWorld } from "../fakes/direct-push.ts";
import {
  graphArchive,
  imageOf,
  layer,
  podmanArchive,
  type SmallImage,
} from "../fakes/image-archives.ts";
import { Layout, multiPlatform, named } from "../fakes/oci-layout.ts";
import { clientOf } from "../fakes/registry-client.ts";

test("an image of Docker 20.10 keeps its id, and its layers are as they are", async () => {
  await using world = await openDirectWorld();
  const image = imageOf();
  const source = await engineOf("graph", image, graphArchive(image));
  const { digest, layers, bytes } = await world.push(source);

  const served = await world.served();
  expect(served).toMatchObject({ digest, mediaType: mediaTypes.dockerManifest });
  expect(served.document.config?.digest).toBe(image.id);
  expect(served.document.layers).toEqual(
    image.layers.map(({ length }, at) => ({
      mediaType: mediaTypes.dockerLayer,
      size: length,
      digest: image.diffIds[at],
    })),
  );
  expect({ layers, bytes }).toEqual({
    layers: 2,
    bytes: Buffer.concat(image.layers).length,
  });
  expect(source.exports).toEqual([image.id]);
});

test("a layer that occurs twice goes up once, though its link comes before it", async () => {
  await using world = await openDirectWorld();
  const twice = layer();
  for (const image of [imageOf([twice, layer(), twice]), imageOf([layer(), twice, twice])]) {
    await world.faulty.registry.clear();
    await world.push(await engineOf("graph", image, graphArchive(image)));
    expect(world.takePuts()).toEqual(["blob", "blob", "blob", "v1"]);
    const { document } = await world.served();
    expect(document.layers?.map(({ digest }) => digest)).toEqual(image.diffIds);
  }
});

test("a layer that Docker's own name of it tells goes up while it is still coming", async () => {
  await using world = await openDirectWorld();
  const image = imageOf([layer(), layer(), layer()]);
  const isSent = () => world.events.some((one) => one.type === "layer" && one.state === "sending");
  async function* halting(bytes: Buffer) {
    yield bytes.subarray(0, 600_000); // in the midst of the first layer
    while (!isSent()) await setImmediate();
    yield bytes.subarray(600_000);
  }
  const stream = (bytes: Buffer) => Readable.from(halting(bytes), { objectMode: false });
  const archive = graphArchive(image, "app:v1", "proven");
  await world.push(await engineOf("graph", image, archive, stream));
  const { document } = await world.served();
  expect(document.layers?.map(({ digest }) => digest)).toEqual(image.diffIds);
  expect(await world.leftovers()).toEqual([]);
});

test("a layer that has the name of another ends the push, and is not kept under it", async () => {
  await using world = await openDirectWorld();
  const image = imageOf();
  const archive = graphArchive(image, "app:v1", "proven").map((entry) =>
    entry.name.endsWith("layer.tar") ? { name: entry.name, content: layer() } : entry,
  );
  for (const compression of [{ kind: "none" }, { kind: "gzip", level: 1 }] as const) {
    const source = await engineOf("graph", image, archive);
    await expect(world.push(source, { compression })).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  }
  expect(world.takePuts()).not.toContain("v1");
  await using registry = clientOf(world.faulty);
  for (const diffId of image.diffIds) expect(await registry.hasBlob("app", diffId)).toBe(false);
  expect(await world.leftovers()).toEqual([]);
});

test.for(["unknown", "proven"] as const)(
  "of a rebuilt image only what is new goes up, names of layers being %s",
  async (ids) => {
    await using world = await openDirectWorld();
    const push = async (image: SmallImage) => {
      await world.push(await engineOf("graph", image, graphArchive(image, "app:v1", ids)));
      return world.takePuts();
    };
    const base = [layer(), layer(), layer()];
    await push(imageOf(base));

    const rebuilt = imageOf([...base.slice(0, 2), layer()]);
    expect(await push(rebuilt)).toEqual(["blob", "blob", "v1"]);

    const command = imageOf(rebuilt.layers, { cmd: "changed alone" });
    expect(await push(command)).toEqual(["blob", "v1"]);
    expect((await world.served()).document.config?.digest).toBe(command.id);

    expect(await push(command)).toEqual(["v1"]);
  },
);

test("an image of Podman becomes the same as Docker's", async () => {
  await using world = await openDirectWorld();
  const image = imageOf();
  const podman = await world.push(await engineOf("podman", image, podmanArchive(image)));
  const docker = await world.push(await engineOf("graph", image, graphArchive(image)));
  expect(podman.digest).toBe(docker.digest);
});

test("an image of BuildKit stays the index that it is, with gzip layers and attestation", async () => {
  await using world = await openDirectWorld();
  const layout = new Layout();
  const image = layout.image(imageOf([layer(), layer(5 * 1024 * 1024)]));
  const index = layout.index([
    { ...image, platform: { os: "linux", architecture: "amd64" } },
    layout.attestation(image),
  ]);
  const source = await engineOf(
    "containerd",
    { id: index.digest, diffIds: [] },
    layout.entries([named(index)]),
  );
  const { digest, layers } = await world.push(source);
  expect(digest).toBe(index.digest);
  expect(layers).toBe(2); // the attestation's statement is none
  expect(await world.served()).toMatchObject({ digest, mediaType: mediaTypes.ociIndex });

  world.takePuts();
  await world.push(source);
  expect(world.takePuts()).not.toContain("blob");
});

test("of an index whose other platform is not there, what is there goes up, with a warning", async () => {
  await using world = await openDirectWorld();
  const layout = new Layout();
  const arm64 = imageOf();
  const parts = multiPlatform(layout, { amd64: imageOf(), arm64 });
  layout.drop(parts.arm64.digest);
  const archive = layout.entries([named(parts.index)]);
  const source = await engineOf("containerd", { id: parts.index.digest, diffIds: [] }, archive);

  expect((await world.push(source)).digest).toBe(parts.amd64.digest);
  expect(world.events).toContainEqual(
    expect.objectContaining({
      type: "warning",
      message: expect.stringContaining("linux/amd64") as string,
    }),
  );
  await expect(world.push(source, { platform: "linux/arm64" })).rejects.toMatchObject({
    code: "PLATFORM_NOT_FOUND",
    hint: "try --platform linux/amd64",
  });
});

test("one platform of several is pushed alone when it is asked for, and asked of the engine", async () => {
  await using world = await openDirectWorld();
  const layout = new Layout();
  const parts = multiPlatform(layout, { amd64: imageOf(), arm64: imageOf() });
  const archive = layout.entries([named(parts.index)]);
  const source = await engineOf("containerd", { id: parts.index.digest, diffIds: [] }, archive);

  expect((await world.push(source, { platform: "linux/arm64" })).digest).toBe(parts.arm64.digest);
  expect(source.exports).toEqual([`${parts.index.digest} linux/arm64`]);
  expect(world.events.filter(({ type }) => type === "warning")).toEqual([]);
  expect((await world.push(source)).digest).toBe(parts.index.digest);
});

test("each layer is told as waiting, sent in bytes, and whole only once the registry has it", async () => {
  await using world = await openDirectWorld();
  const image = imageOf([randomBytes(3 * 1024 * 1024), randomBytes(10)]);
  await world.push(await engineOf("graph", image, graphArchive(image)));
  for (const [at, id] of image.diffIds.entries()) {
    const told = world.events.filter((event) => event.type === "layer" && event.id === id);
    const size = image.layers[at]?.length ?? 0;
    expect(told.at(-1)).toMatchObject({ state: "sent", sentBytes: size, totalBytes: size });
    for (const event of told.slice(0, -1)) {
      expect(event).toMatchObject({ totalBytes: size, image: "app:v1" });
      expect("sentBytes" in event && event.sentBytes).toBeLessThan(size);
    }
  }
  world.events.length = 0;
  await world.push(await engineOf("graph", image, graphArchive(image)));
  const states = world.events.flatMap((event) => (event.type === "layer" ? [event.state] : []));
  expect(states).toEqual(["present", "present"]);
});
