import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { engineOf, openDirectWorld } from "../fakes/direct-push.ts";
import { graphArchive, imageOf, layer, podmanArchive, streamOf } from "../fakes/image-archives.ts";
import { Layout, named } from "../fakes/oci-layout.ts";
import { answers, refuses } from "../fakes/registry.ts";

test.for([
  ["Docker 20.10, whose layers must be kept to be known", "graph", graphArchive],
  ["Podman, whose layers go on while they come", "podman", podmanArchive],
] as const)(
  "a connection lost in a layer of %s is made good without a second export",
  async ([, store, archive]) => {
    await using world = await openDirectWorld();
    const image = imageOf([layer(6 * 1024 * 1024)]);
    const source = await engineOf(store, image, archive(image));
    world.faulty.cutAfter(4 * 1024 * 1024);
    await world.push(source);
    expect(source.exports).toHaveLength(1);
    expect(world.faulty.registry.store.sizes.get(image.diffIds[0] ?? "")).toBe(6 * 1024 * 1024);
    expect(await world.leftovers()).toEqual([]);
  },
);

test.for([
  ["graph", graphArchive],
  ["podman", podmanArchive],
] as const)("an interrupted push from %s leaves nothing behind", async ([store, archive]) => {
  await using world = await openDirectWorld();
  const image = imageOf([layer(), layer(3 * 1024 * 1024), layer()]);
  const controller = new AbortController();
  const reason = new Error("interrupted");
  let stream: Readable | undefined;
  const source = await engineOf(
    store,
    image,
    archive(image),
    (bytes) => (stream = streamOf(bytes)),
  );
  world.faulty.fault(/^PUT .*uploads/, (request) => {
    request.once("data", () => controller.abort(reason));
  });
  await expect(world.push(source, { signal: controller.signal })).rejects.toBe(reason);
  expect(stream?.destroyed).toBe(true);
  expect(await world.leftovers()).toEqual([]);
});

test("an engine that stops in the middle of its export is named, not the archive", async () => {
  await using world = await openDirectWorld();
  const image = imageOf();
  const source = await engineOf("graph", image, graphArchive(image), (bytes) => {
    function* half() {
      yield bytes.subarray(0, bytes.length / 2);
      throw new Error("socket hang up");
    }
    return Readable.from(half(), { objectMode: false });
  });
  await expect(world.push(source)).rejects.toMatchObject({
    code: "ENGINE_FAILED",
    message: expect.stringContaining("socket hang up") as string,
  });
  expect(world.takePuts()).not.toContain("v1");
});

test.for([
  ["graph", graphArchive],
  ["podman", podmanArchive],
] as const)("a registry that refuses a layer ends the export of %s", async ([store, archive]) => {
  await using world = await openDirectWorld();
  const image = imageOf([layer(8 * 1024 * 1024), layer(), layer()]);
  let stream: Readable | undefined;
  const source = await engineOf(
    store,
    image,
    archive(image),
    (bytes) => (stream = streamOf(bytes)),
  );
  world.faulty.fault(/^PUT .*uploads/, answers(507));
  await expect(world.push(source)).rejects.toMatchObject({ code: "REGISTRY_FULL" });
  expect(stream?.destroyed).toBe(true);
  expect(await world.leftovers()).toEqual([]);
});

test("a refused config ends the upload of the layer beside it", async () => {
  await using world = await openDirectWorld();
  const layout = new Layout();
  const image = layout.image(imageOf([layer(3 * 1024 * 1024)]));
  const source = await engineOf(
    "containerd",
    { id: image.digest, diffIds: [] },
    layout.entries([named(image)]),
  );
  world.faulty.fault(/^PUT .*uploads/, () => undefined); // the layer's or the config's, whichever comes first
  world.faulty.fault(/^PUT .*uploads/, refuses(403, "DENIED", "no more"));
  await expect(world.push(source)).rejects.toMatchObject({ code: "PUSH_REJECTED" });
});

test("a directory for temporary files that is not there is a matter of the local disk", async () => {
  await using world = await openDirectWorld();
  const image = imageOf();
  const source = await engineOf("graph", image, graphArchive(image));
  const directory = `${world.directory}/gone`;
  await expect(world.push(source, { directory })).rejects.toMatchObject({
    code: "LOCAL_DISK",
    hint: expect.stringContaining("TMPDIR") as string,
  });
});

test("layers under another digest than their content's are refused", async () => {
  await using world = await openDirectWorld();
  const image = imageOf();
  const other = { ...image, layers: [layer(), layer()] };
  for (const [store, archive] of [
    ["graph", graphArchive],
    ["podman", podmanArchive],
  ] as const) {
    const source = await engineOf(store, image, archive(other));
    await expect(world.push(source)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  }
  expect(world.takePuts()).not.toContain("v1");
});
