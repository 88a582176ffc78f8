import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../src/image/digest.ts";
import { layerTypes, mediaTypes } from "../../src/image/manifest.ts";
import { openArchive } from "../../src/push/archive/source.ts";
import { engineOf, openDirectWorld, type DirectWorld } from "../fakes/direct-push.ts";
import { graphArchive, imageOf, streamOf, tarOf, type TarEntry } from "../fakes/image-archives.ts";
import { Layout, named, type OciDescriptor } from "../fakes/oci-layout.ts";
import { end, pax, rawEntry, rawImage } from "../fakes/tar-blocks.ts";

let world: DirectWorld;
beforeAll(async () => {
  world = await openDirectWorld();
});
beforeEach(() => world.faulty.registry.clear());
afterAll(() => world[Symbol.asyncDispose]());

/** What an archive comes in; each pushes what these bytes, or entries, say. */
const containers: Record<string, (bytes: Buffer) => Promise<unknown>> = {
  "a file": (bytes: Buffer) => world.pushFile(bytes),
  "a .tar.gz": (bytes: Buffer) => world.pushFile(zlib.gzipSync(bytes, { level: 1 })),
  "standard input": (bytes: Buffer) => world.pushStream(bytes),
  "an engine's export": async (bytes: Buffer) => {
    const source = await engineOf("containerd", { id: digestOf(bytes), diffIds: [] }, []);
    source.engine.export = () => Promise.resolve(streamOf(bytes));
    return world.push(source);
  },
};

const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: (bytes: Buffer) => Buffer };
if (zstdCompressSync) containers["a .tar.zst"] = (bytes) => world.pushFile(zstdCompressSync(bytes));

const image = imageOf([Buffer.from("one layer"), Buffer.from("another")]);
const [layerOne = Buffer.alloc(0)] = image.layers;

function layout(change: (layout: Layout) => OciDescriptor[]): TarEntry[] {
  const made = new Layout();
  return made.entries(change(made));
}

/** A layout whose one manifest is this. */
function layoutOf(manifest: (layout: Layout) => Record<string, unknown>): TarEntry[] {
  return layout((made) => {
    const config = made.blob(image.config, mediaTypes.ociConfig);
    const document = { schemaVersion: 2, config, layers: [], ...manifest(made) };
    return [named(made.json(document, mediaTypes.ociManifest))];
  });
}

/** Docker's archive of the image with another manifest.json. */
function listing(images: unknown, ...more: TarEntry[]): TarEntry[] {
  const rest = graphArchive(image).filter(({ name }) => name !== "manifest.json");
  return [...rest, ...more, { name: "manifest.json", content: JSON.stringify(images) }];
}
const config = `${image.id.slice(7)}.json`;
const layers = graphArchive(image).flatMap(({ name }) => (name.endsWith(".tar") ? [name] : []));
const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
const text = (entries: readonly TarEntry[], from: string, to: string): TarEntry[] =>
  entries.map((entry) =>
    "content" in entry
      ? { ...entry, content: Buffer.from(entry.content).toString("latin1").replace(from, to) }
      : entry,
  );

const good = rawImage().entries;
const sparse = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "7" };

const hostile: [name: string, archive: TarEntry[] | Buffer, words: RegExp][] = [
  [
    "with a negative size",
    Buffer.concat([rawEntry({ name: "a", size: Buffer.alloc(12, 0xff) }, "x"), good, end]),
    /broken|cut off/,
  ],
  [
    "with a size of many exabytes",
    Buffer.concat([rawEntry({ name: "a", size: Buffer.alloc(12, 0x80) }, "x"), good, end]),
    /broken|cut off/,
  ],
  [
    "whose layer is sparse, as GNU tar writes it",
    Buffer.concat([good, pax(sparse), rawEntry({ name: "layer.tar" }, "1\n0\n7\na layer"), end]),
    /is another/,
  ],
  [
    "whose index names one large manifest without end",
    layout((made) => {
      const config = made.blob(image.config, mediaTypes.ociConfig);
      const large = { schemaVersion: 2, config, annotations: { x: "x".repeat(1 << 20) } };
      const one = made.json(large, mediaTypes.ociManifest);
      return [named(made.index(Array.from({ length: 5000 }, () => one)))];
    }),
    /name more manifests than any image has/,
  ],
  [
    "whose index.json lists images without end",
    layout((made) => {
      const one = made.image(image);
      return Array.from({ length: 5000 }, (_, at) => named(one, `app.io/app:${at}`));
    }),
    /lists more than 1000/,
  ],
  [
    "whose manifest.json lists images without end",
    listing(
      Array.from({ length: 20_000 }, (_, at) => ({ Config: `${"./".repeat(at % 9)}${config}` })),
    ),
    /lists more than 1000/,
  ],
  [
    "whose image has names without end",
    listing([{ Config: config, Layers: layers, RepoTags: Array.from({ length: 5000 }, String) }]),
    /lists more than 1000/,
  ],
  [
    "whose links lead on without end",
    listing(
      [{ Config: "link0", Layers: layers }],
      ...Array.from({ length: 200 }, (_, at) => ({ name: `link${at}`, symlink: `link${at + 1}` })),
    ),
    /more than 40 others/,
  ],
  [
    "whose hard links go in a circle",
    listing([{ Config: "a", Layers: [] }], { name: "a", hard: "b" }, { name: "b", hard: "a" }),
    /leads to itself/,
  ],
  [
    "whose link leads nowhere",
    listing([{ Config: config, Layers: ["gone", "gone"] }], { name: "gone", symlink: "away" }),
    /gone is missing/,
  ],
  [
    "with a name of 5000 letters",
    listing([{ Config: config, Layers: layers }], { name: "a".repeat(5000), content: "" }),
    /a name in it has no end/,
  ],
  [
    "whose manifest is nested without end",
    layout((made) => {
      const manifest = `{"schemaVersion":2,"config":{"digest":${deep}}}`;
      return [named(made.blob(Buffer.from(manifest), mediaTypes.ociManifest))];
    }),
    /more than 100 levels/,
  ],
  [
    "whose index.json is nested without end",
    text(
      layout(() => []),
      "[]",
      deep,
    ),
    /more than 100 levels/,
  ],
  [
    "whose config is nested without end",
    text(listing([{ Config: config, Layers: layers }]), '"linux"', `"linux","x":${deep}`),
    /more than 100 levels/,
  ],
  ["whose manifest.json is nested without end", text(listing("deep"), '"deep"', deep), /levels/],
  ["whose manifest.json lists no objects", listing([null, 1, [], "x"]), /names no config/],
  ["whose config is outside", listing([{ Config: "../config.json" }]), /points out of/],
  ["whose layer is outside", listing([{ Config: config, Layers: ["/../a", "b"] }]), /points out/],
  [
    "whose layers are no names",
    listing([{ Config: config, Layers: [1, null] }]),
    /differ in layers/,
  ],
  [
    "whose layer has another size",
    layoutOf((made) => ({ layers: [{ ...made.blob(layerOne, "x"), size: 1 }] })),
    /not the size/,
  ],
  [
    "whose layer has a size that is none",
    layoutOf((made) => ({ layers: [{ ...made.blob(layerOne, "x"), size: -9 }] })),
    /no valid size/,
  ],
  [
    "whose layer has another content, and the same size",
    text(
      layoutOf((made) => ({ layers: [made.blob(layerOne, "x")] })),
      "one layer",
      "One layer",
    ),
    /is another/,
  ],
  [
    "whose config has another content, and the same size",
    text(
      layoutOf(() => ({})),
      '"amd64"',
      '"amd46"',
    ),
    /is another/,
  ],
];

describe.each(Object.entries(containers))("%s", (_container, push) => {
  test.for(hostile)("%s is refused", async ([, archive, words]) => {
    const bytes = Buffer.isBuffer(archive) ? archive : await tarOf(archive);
    await expect(push(bytes)).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: expect.stringMatching(words) as string,
      hint: expect.any(String) as string,
    });
    expect(world.takePuts()).not.toContain("v1");
    expect(await world.leftovers()).toEqual([]);
  });

  test("is refused wherever it is cut off", async () => {
    const docker = await tarOf(graphArchive(image));
    const oci = await tarOf(layout((made) => [named(made.image(image))]));
    const whole = fc.constantFrom(
      { bytes: docker, end: docker.indexOf("repositories") - 512 },
      { bytes: oci, end: oci.indexOf("oci-layout") - 512 },
    );
    await fc.assert(
      fc.asyncProperty(whole, fc.double({ min: 0, max: 1, noNaN: true }), async (one, part) => {
        const length = Math.floor(part * one.end);
        await expect(push(one.bytes.subarray(0, length))).rejects.toMatchObject({
          code: "ARCHIVE_INVALID",
        });
        expect(await world.leftovers()).toEqual([]);
      }),
      { numRuns: 30 },
    );
    expect(world.takePuts()).not.toContain("v1");
  });
});

describe("a directory", () => {
  /** Lays an archive's entries out as files; links are those of the file system. */
  async function pushDirectory(entries: readonly TarEntry[]) {
    const root = await mkdtemp(join(tmpdir(), "layout-test-"));
    await using _root = { [Symbol.asyncDispose]: () => rm(root, { recursive: true }) };
    for (const entry of entries) {
      const path = join(root, entry.name);
      await mkdir(dirname(path), { recursive: true });
      if ("symlink" in entry) await symlink(entry.symlink, path);
      else await writeFile(path, "content" in entry ? entry.content : "");
    }
    await using archive = await openArchive(root, { signal: new AbortController().signal });
    return await world.push({
      kind: "archive",
      request: { image: root },
      archive: archive.images[0],
    });
  }

  const layouts = hostile.flatMap(([name, archive, words]): [string, TarEntry[], RegExp][] =>
    !Buffer.isBuffer(archive) && archive.some((entry) => entry.name === "index.json")
      ? [[name, archive, words]]
      : [],
  );
  const blob = (entries: TarEntry[], digest: string, target: string): TarEntry[] =>
    entries.map(({ name, ...rest }) =>
      name.endsWith(digest.slice(7)) ? { name, symlink: target } : { name, ...rest },
    );
  const secret = join(tmpdir(), `secret-${process.pid}`);
  const oneLayer = layoutOf((made) => ({ layers: [made.blob(layerOne, "x")] }));
  beforeAll(() => writeFile(secret, "a secret!"));
  afterAll(() => rm(secret));

  test.for<[string, TarEntry[], RegExp]>([
    ...layouts,
    ["whose blob lies outside", blob(oneLayer, digestOf(layerOne), secret), /is another/],
    ["whose config lies outside", blob(oneLayer, image.id, secret), /not the size/],
    ["whose blob is a link to itself", blob(oneLayer, digestOf(layerOne), "."), /is missing/],
    ["whose blob is a device", blob(oneLayer, digestOf(layerOne), "/dev/zero"), /is missing/],
    ["whose index is a device", [{ name: "index.json", symlink: "/dev/zero" }], /no image archive/],
  ])("%s is refused", async ([, entries, words]) => {
    await expect(pushDirectory(entries)).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: expect.stringMatching(words) as string,
    });
    expect(world.takePuts()).not.toContain("v1");
    expect(world.faulty.registry.store.sizes.has(digestOf(Buffer.from("a secret!")))).toBe(false);
  });
});

test.for<[string, Buffer]>([
  ["would unpack without end", zlib.gzipSync(Buffer.alloc(64 << 20), { level: 9 })],
  ["is cut off", zlib.gzipSync(Buffer.alloc(9000)).subarray(0, 40)],
  ["is compressed in name alone", Buffer.from([0x1f, 0x8b, 8, 1, 2, 3])],
])("a layer that %s is pushed as it is: nothing unpacks it", async ([, layer]) => {
  const docker = graphArchive({ ...imageOf([Buffer.alloc(0)]), layers: [layer] });
  const oci = layoutOf((made) => ({ layers: [made.blob(layer, layerTypes.oci.gzip)] }));
  for (const entries of [docker, oci]) {
    await world.faulty.registry.clear();
    await world.pushFile(await tarOf(entries));
    expect((await world.served()).document.layers?.map(({ digest }) => digest)).toEqual([
      digestOf(layer),
    ]);
    expect(world.faulty.registry.store.sizes.get(digestOf(layer))).toBe(layer.length);
  }
});
