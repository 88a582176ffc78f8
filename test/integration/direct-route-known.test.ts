import { mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/image/digest.ts";
import { layerTypes, mediaTypes } from "../../src/image/manifest.ts";
import { openKnownCache } from "../../src/push/direct/known-cache.ts";
import { knownLayers } from "../../src/push/direct/known-layers.ts";
import { otherTags } from "../../src/push/direct/other-tags.ts";
import { engineOf, openDirectWorld, type DirectWorld } from "../fakes/direct-push.ts";
import { graphArchive, imageOf, layer, type SmallImage } from "../fakes/image-archives.ts";
import { blobOf, clientOf } from "../fakes/registry-client.ts";

const gzip = { kind: "gzip", level: 1 } as const;

/** Pushes an image as BuildKit or another machine would have: layers compressed by another tool. */
async function pushByOther(world: DirectWorld, image: SmallImage, tag: string, repository = "app") {
  await using registry = clientOf(world.faulty);
  const blobs = image.layers.map((bytes) => gzipSync(bytes, { level: 9 }));
  for (const bytes of [image.config, ...blobs])
    await registry.uploadBlob(repository, blobOf(bytes));
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: image.id, size: image.config.length },
      layers: blobs.map((blob) => ({
        mediaType: layerTypes.oci.gzip,
        digest: digestOf(blob),
        size: blob.length,
      })),
    }),
  );
  await registry.putManifest(repository, tag, { mediaType: mediaTypes.ociManifest, bytes });
  const manifest = await registry.getManifest(repository, tag);
  if (!manifest) throw new Error("the manifest is not there");
  world.takePuts();
  return { manifest, digests: blobs.map((blob) => digestOf(blob)) };
}

async function learn(world: DirectWorld, manifest: Parameters<typeof knownLayers>[2]) {
  await using registry = clientOf(world.faulty);
  return await knownLayers(registry, "app", manifest);
}

test("a rebuilt image finds its old layers, though another tool compressed them", async () => {
  await using world = await openDirectWorld();
  const base = [layer(), layer()];
  const { manifest, digests } = await pushByOther(world, imageOf(base), "v1");
  const known = await learn(world, manifest);

  const rebuilt = imageOf([...base, layer()]);
  const source = await engineOf("graph", rebuilt, graphArchive(rebuilt));
  await world.push(source, { known, compression: gzip });
  expect(world.takePuts()).toEqual(["blob", "blob", "v1"]);
  const { document } = await world.served();
  expect(document.config?.digest).toBe(rebuilt.id);
  expect(document.layers?.slice(0, 2)).toMatchObject([
    { digest: digests[0], mediaType: mediaTypes.dockerGzipLayer },
    { digest: digests[1], mediaType: mediaTypes.dockerGzipLayer },
  ]);
});

test("what the manifest names and the registry has lost is sent again", async () => {
  await using world = await openDirectWorld();
  const image = imageOf([layer()]);
  const { manifest, digests } = await pushByOther(world, image, "v1");
  const known = await learn(world, manifest);
  world.faulty.registry.store.repository("app").blobs.delete(digests[0] ?? "");

  await world.push(await engineOf("graph", image, graphArchive(image)), { known });
  expect((await world.served()).document.layers?.[0]?.digest).toBe(image.diffIds[0]);
});

test.for([
  [
    "a config that is gone",
    (world: DirectWorld, image: SmallImage) =>
      world.faulty.registry.store.repository("app").blobs.delete(image.id),
  ],
  ["a config of another number of layers", undefined],
] as const)("%s tells nothing, and is no error", async ([, damage]) => {
  await using world = await openDirectWorld();
  const image = imageOf([layer(10), layer(10)]);
  const listed = damage ? image : { ...image, layers: image.layers.slice(1) };
  const { manifest } = await pushByOther(world, listed, "v1");
  damage?.(world, image);
  expect((await learn(world, manifest)).size).toBe(0);
});

test("a new tag looks at the likeliest of the others", async () => {
  await using world = await openDirectWorld();
  for (const tag of ["2024-01", "2024-02", "latest", "a"])
    await pushByOther(world, imageOf([layer(10)], { tag }), tag);
  world.faulty.takeRequests();
  await using registry = clientOf(world.faulty);
  expect(await otherTags(registry, "app")).toHaveLength(2);
  expect(world.faulty.takeRequests()).toEqual([
    "GET /v2/app/tags/list",
    "GET /v2/app/manifests/latest",
    expect.stringMatching(/manifests\/(?!latest)/),
  ]);
  expect(await otherTags(registry, "nothing/here")).toEqual([]);
});

describe("the cache", () => {
  async function open() {
    const home = await mkdtemp(join(tmpdir(), "known-test-"));
    const env = { XDG_CACHE_HOME: home };
    return {
      home,
      cache: openKnownCache({ env, home: "/nowhere", platform: "linux" }, "this"),
      other: openKnownCache({ env, home: "/nowhere", platform: "linux" }, "another"),
      [Symbol.asyncDispose]: () => rm(home, { recursive: true }),
    };
  }

  test("spares packing a layer that the registry still has", async () => {
    await using world = await openDirectWorld();
    await using opened = await open();
    const { cache } = opened;
    const image = imageOf([layer()]);
    const source = await engineOf("graph", image, graphArchive(image));
    const first = await world.push(source, { cache, compression: gzip });
    world.takePuts();
    expect(await world.push(source, { cache, compression: gzip })).toEqual(first);
    expect(world.takePuts()).toEqual(["v1"]);

    await world.faulty.registry.clear(); // what is remembered is not believed
    expect(await world.push(source, { cache, compression: gzip })).toEqual(first);
    expect(world.takePuts()).toEqual(["blob", "blob", "v1"]);
  });

  test("lets a layer be mounted from the repository where it was last", async () => {
    await using world = await openDirectWorld();
    await using opened = await open();
    const { cache } = opened;
    const image = imageOf([layer()]);
    const source = await engineOf("graph", image, graphArchive(image));
    await world.push(source, { cache, compression: gzip, repository: "team/base" });
    world.faulty.takeRequests();
    await world.push(source, { cache, compression: gzip });
    expect(world.takePuts()).toEqual(["blob", "v1"]); // the config, and no layer
  });

  test("is no harm where that repository has it no more", async () => {
    await using world = await openDirectWorld();
    await using opened = await open();
    const { cache } = opened;
    const image = imageOf([layer()]);
    const source = await engineOf("graph", image, graphArchive(image));
    await world.push(source, { cache, repository: "team/base" });
    world.faulty.registry.store.repository("team/base").blobs.clear();
    world.takePuts();
    await world.push(source, { cache });
    expect(world.takePuts()).toEqual(["blob", "blob", "v1"]);
    expect(world.faulty.registry.store.uploads.size).toBe(0); // those in place of a mount were called off
  });

  test("is private, and whatever lies in it is checked", async () => {
    await using opened = await open();
    const { cache, other, home } = opened;
    const digest = digestOf(Buffer.from("layer"));
    const remembered = { digest, size: 5, packing: "gzip", repository: "app" } as const;
    await cache.rememberLayer(digest, remembered);
    expect(await cache.layers(digest)).toEqual([remembered]);
    expect(await other.layers(digest)).toEqual([]); // of another registry nothing is known
    expect((await stat(join(home, "kpush"))).mode & 0o777).toBe(0o700);
    const files = await readdir(home, { recursive: true });
    const [file = "", ...temporary] = files.filter((name) => name.includes(digest.slice(7)));
    expect(temporary).toEqual([]);

    for (const text of ["", "{", "null", '{"digest":"../x","size":1,"repository":"app"}']) {
      await writeFile(join(home, file), text);
      expect(await cache.layers(digest)).toEqual([]);
    }
    await rm(join(home, "kpush"), { recursive: true });
    expect(await cache.layers(digest)).toEqual([]);
    expect(await cache.layers("sha256:../../etc/passwd")).toEqual([]);
  });

  test("loses at the end of a push what was not used for three months", async () => {
    await using world = await openDirectWorld();
    await using opened = await open();
    const { cache, other, home } = opened;
    const digest = digestOf(Buffer.from("old"));
    await other.rememberPushed(digest, digest);
    const files = await readdir(home, { recursive: true });
    const old = join(home, files.find((name) => name.includes(digest.slice(7))) ?? "");
    await utimes(old, new Date("2020-01-01"), new Date("2020-01-01"));
    const image = imageOf([layer()]);
    await world.push(await engineOf("graph", image, graphArchive(image)), { cache });
    expect(await other.pushed(digest)).toBeUndefined();
    expect(await cache.layers(image.diffIds[0] ?? "")).toHaveLength(1);
  });

  test("that cannot be written is no error", async () => {
    const cache = openKnownCache({ env: {}, home: "/dev/null", platform: "linux" }, "this");
    const digest = digestOf(Buffer.from("x"));
    await cache.rememberPushed(digest, digest);
    expect(await cache.pushed(digest)).toBeUndefined();
  });

  test("remembers what became of a containerd store's image whose layers were packed", async () => {
    await using world = await openDirectWorld();
    await using opened = await open();
    const { cache } = opened;
    const image = imageOf([layer()]);
    const id = digestOf(Buffer.from("top manifest"));
    const source = await engineOf("containerd", { ...image, id }, graphArchive(image));
    const local = { ...source.local, manifests: [{ ...manifestOf(id) }] };
    const { digest } = await world.push({ ...source, local }, { cache, compression: gzip });
    expect(await cache.pushed(id)).toBe(digest);
  });
});

function manifestOf(digest: string) {
  const mediaType = mediaTypes.dockerManifest;
  return { digest, mediaType, platform: "linux/amd64", available: true, kind: "image" as const };
}
