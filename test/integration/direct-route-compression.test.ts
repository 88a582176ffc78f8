import { randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { digestOf } from "../../src/image/digest.ts";
import { layerTypes, mediaTypes } from "../../src/image/manifest.ts";
import { engineOf, openDirectWorld, type DirectWorld } from "../fakes/direct-push.ts";
import { graphArchive, imageOf, layer, podmanArchive, tarOf } from "../fakes/image-archives.ts";
import { Layout, multiPlatform, named } from "../fakes/oci-layout.ts";
import { clientOf } from "../fakes/registry-client.ts";
import { answers, hangsUp, refuses } from "../fakes/registry.ts";

const MiB = 1024 * 1024;
const gzip = { kind: "gzip", level: 1 } as const;

/** A layer that a compressor has something to do with. */
function halfNoise(size: number): Buffer {
  return Buffer.concat([randomBytes(size / 2), Buffer.alloc(size / 2, "kpush ")]);
}

async function contentOf(world: DirectWorld, digest: string): Promise<Buffer> {
  await using registry = clientOf(world.faulty);
  return await buffer(await registry.getBlob("app", digest));
}

test.for([
  ["graph", graphArchive],
  ["podman", podmanArchive],
] as const)(
  "plain layers of a %s store go up packed, and the image keeps its id",
  async ([store, archive]) => {
    await using world = await openDirectWorld();
    const image = imageOf([halfNoise(3 * MiB), Buffer.from("small")]);
    const source = await engineOf(store, image, archive(image));
    const { digest, bytes } = await world.push(source, { compression: gzip });

    const { document, ...served } = await world.served();
    expect(served).toEqual({ digest, mediaType: mediaTypes.dockerManifest });
    expect(document.config?.digest).toBe(image.id);
    for (const [at, { mediaType, digest }] of (document.layers ?? []).entries()) {
      expect(mediaType).toBe(mediaTypes.dockerGzipLayer);
      const packed = await contentOf(world, digest);
      expect(digestOf(gunzipSync(packed))).toBe(image.diffIds[at]);
    }
    expect(bytes).toBeLessThan(2 * MiB);
    expect(await world.leftovers()).toEqual([]);
  },
);

test("an archive's plain layers are packed, and it is the same from an engine", async () => {
  await using world = await openDirectWorld();
  const image = imageOf([halfNoise(2 * MiB)]);
  const archive = await tarOf(graphArchive(image));
  const fromFile = await world.pushFile(archive, { compression: gzip });
  world.takePuts();
  const source = await engineOf("graph", image, graphArchive(image));
  await world.faulty.registry.clear();
  expect(await world.push(source, { compression: gzip })).toEqual(fromFile);
});

test("layers that come compressed, and indexes, are what they are", async () => {
  await using world = await openDirectWorld();
  const layout = new Layout();
  const { index } = multiPlatform(layout, { amd64: imageOf(), arm64: imageOf() });
  const archive = await tarOf(layout.entries([named(index)]));
  expect((await world.pushFile(archive, { compression: gzip })).digest).toBe(index.digest);
});

test("what is packed is told as sent with the bytes that went", async () => {
  await using world = await openDirectWorld();
  const image = imageOf([halfNoise(4 * MiB)]);
  await world.push(await engineOf("graph", image, graphArchive(image)), { compression: gzip });
  const told = world.events.filter((event) => event.type === "layer");
  const size = world.faulty.registry.store.sizes.get(
    (await world.served()).document.layers?.[0]?.digest ?? "",
  );
  expect(told.at(-1)).toMatchObject({ state: "sent", sentBytes: size, totalBytes: size });
  for (const { sentBytes, totalBytes } of told.slice(0, -1)) {
    expect(sentBytes).toBeLessThan(totalBytes);
    expect(totalBytes).toBe(4 * MiB);
  }
});

test("a small layer goes up in two round trips", async () => {
  await using world = await openDirectWorld();
  const image = imageOf([halfNoise(2 * MiB)]);
  await world.push(await engineOf("graph", image, graphArchive(image)), { compression: gzip });
  const lines = world.faulty.takeRequests().filter((line) => /uploads/.test(line));
  expect(lines.map((line) => line.split(" ")[0]).toSorted()).toEqual([
    ...["POST", "POST"], // of the layer and the config
    ...["PUT", "PUT"],
  ]);
});

test("a connection lost in a packed layer goes on where the registry stands", async () => {
  await using world = await openDirectWorld();
  const image = imageOf([layer(6 * MiB)]);
  world.faulty.cutAfter(4 * MiB);
  await world.push(await engineOf("podman", image, podmanArchive(image)), { compression: gzip });
  const lines = world.faulty.takeRequests().filter((line) => /uploads/.test(line));
  expect(lines.filter((line) => line.startsWith("PATCH"))).toHaveLength(2);
  const { document } = await world.served();
  const packed = await contentOf(world, document.layers?.[0]?.digest ?? "");
  expect(digestOf(gunzipSync(packed))).toBe(image.diffIds[0]);
});

test.for([
  ["begins a layer", /^POST/],
  ["takes a layer", /^PATCH/],
  ["ends a layer", /^PUT .*digest=/],
] as const)("a registry that hangs up as it %s is asked again", async ([, pattern]) => {
  await using world = await openDirectWorld();
  const image = imageOf([halfNoise(6 * MiB)]);
  world.faulty.fault(pattern, hangsUp);
  await world.push(await engineOf("graph", image, graphArchive(image)), { compression: gzip });
  const { document } = await world.served();
  const packed = await contentOf(world, document.layers?.[0]?.digest ?? "");
  expect(digestOf(gunzipSync(packed))).toBe(image.diffIds[0]);
});

test.for([
  [401, "REGISTRY_AUTH"],
  [404, "REGISTRY_UNHEALTHY"],
  [413, "PUSH_REJECTED"],
  [500, "REGISTRY_UNHEALTHY"],
  [507, "REGISTRY_FULL"],
] as const)(
  "a registry that answers %d to a packed layer ends the push with %s",
  async ([status, code]) => {
    await using world = await openDirectWorld();
    const image = imageOf([halfNoise(6 * MiB)]);
    const source = await engineOf("graph", image, graphArchive(image));
    world.faulty.fault(/^PATCH/, answers(status), 3);
    await expect(world.push(source, { compression: gzip })).rejects.toMatchObject({ code });
    expect(world.takePuts()).not.toContain("v1");
    expect(await world.leftovers()).toEqual([]);
  },
);

test.for([429, 503])(
  "a registry that answers %d to a packed layer is asked again later",
  async (status) => {
    await using world = await openDirectWorld();
    const image = imageOf([halfNoise(6 * MiB)]);
    world.faulty.fault(/^PATCH/, answers(status, "", { "retry-after": "0" }));
    await world.push(await engineOf("graph", image, graphArchive(image)), { compression: gzip });
    expect(world.takePuts()).toContain("v1");
  },
);

test("a layer under another digest than its content's is called off, not committed", async () => {
  await using world = await openDirectWorld();
  const image = imageOf([layer()]);
  const source = await engineOf("podman", image, podmanArchive({ ...image, layers: [layer()] }));
  await expect(world.push(source, { compression: gzip })).rejects.toMatchObject({
    code: "ARCHIVE_INVALID",
  });
  expect(world.faulty.registry.store.sizes.size).toBe(0);
  expect(world.faulty.registry.store.uploads.size).toBe(0);
});

test.for([
  ["with 415", answers(415)],
  ["with MANIFEST_INVALID", refuses(400, "MANIFEST_INVALID", "unsupported media type")],
] as const)("a registry that refuses OCI types %s gets Docker's", async ([, fault]) => {
  await using world = await openDirectWorld();
  const layout = new Layout();
  const image = imageOf();
  const archive = await tarOf(layout.entries([named(layout.image(image))]));
  world.faulty.fault(/^PUT .*manifests/, fault);
  await world.pushFile(archive);
  expect(await world.served()).toMatchObject({
    mediaType: mediaTypes.dockerManifest,
    document: {
      config: { digest: image.id, mediaType: mediaTypes.dockerConfig },
      layers: [{ mediaType: mediaTypes.dockerGzipLayer }, {}],
    },
  });
});

test("a registry that refuses Docker's types gets OCI's", async () => {
  await using world = await openDirectWorld();
  const image = imageOf();
  world.faulty.fault(/^PUT .*manifests/, refuses(415, "MANIFEST_INVALID"));
  await world.push(await engineOf("graph", image, graphArchive(image)));
  expect(await world.served()).toMatchObject({
    mediaType: mediaTypes.ociManifest,
    document: { config: { digest: image.id }, layers: [{ mediaType: layerTypes.oci.none }, {}] },
  });
});

test("a registry that takes neither is told with its first refusal", async () => {
  await using world = await openDirectWorld();
  const image = imageOf();
  world.faulty.fault(/^PUT .*manifests/, refuses(415, "MANIFEST_INVALID", "no Docker"));
  world.faulty.fault(/^PUT .*manifests/, refuses(415, "MANIFEST_INVALID", "no OCI"));
  await expect(
    world.push(await engineOf("graph", image, graphArchive(image))),
  ).rejects.toMatchObject({
    code: "PUSH_REJECTED",
    message: expect.stringContaining("no Docker") as string,
  });
});

test("large layers go up at once, a few at a time, and the manifest last", async () => {
  await using world = await openDirectWorld();
  const image = imageOf(Array.from({ length: 5 }, () => layer(2 * MiB)));
  let open = 0;
  let most = 0;
  const { registry } = world.faulty;
  registry.onRequest = (request, response) => {
    if (request.method !== "PUT" || !request.url?.includes("uploads")) return false;
    open += 1;
    most = Math.max(most, open);
    response.once("close", () => (open -= 1));
    return false;
  };
  await world.pushFile(await tarOf(podmanArchive(image)));
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(4); // three, and the config
  const puts = world.takePuts();
  expect(puts).toHaveLength(7);
  expect(puts.at(-1)).toBe("v1");
});
