import { createCipheriv } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { engineOf, openDirectWorld, type DirectWorld } from "../fakes/direct-push.ts";
import { heldImage } from "../fakes/held.ts";
import {
  graphArchive,
  imageOf,
  podmanArchive,
  tarOf,
  type SmallImage,
  type TarEntry,
} from "../fakes/image-archives.ts";
import { Layout, named } from "../fakes/oci-layout.ts";

let world: DirectWorld;
beforeAll(async () => {
  world = await openDirectWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Layers to choose from: none, a few bytes, what does not shrink, and what is too large for memory. */
const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
const pool = [
  Buffer.alloc(0),
  Buffer.from("a few bytes"),
  Buffer.alloc(700, "kpush "),
  noise.update(Buffer.alloc(70_000)),
  Buffer.concat([noise.update(Buffer.alloc(9000)), Buffer.alloc(1 << 20)]),
];

const formats = ["docker", "podman", "oci", "oci in an index"] as const;
const ways = ["file", "gzip", "stdin", "graph", "podman", "containerd"] as const;

/** Whose large layer comes twice under one name, the second time while the first is still being sent. */
const twice: Tree = {
  ...{ layers: [4, 2, 2, 4], cmd: "", format: "podman", way: "graph", packed: false, empty: true },
  ...{ order: [5, 6, 7, 0, 4], moves: [] },
};

/** An image, how it is saved, and how it is read; the numbers decide what happens to the entries. */
const tree = fc.record({
  layers: fc.array(fc.nat({ max: pool.length - 1 }), { maxLength: 5 }),
  cmd: fc.string({ maxLength: 5 }),
  format: fc.constantFrom(...formats),
  way: fc.constantFrom(...ways),
  packed: fc.boolean(),
  empty: fc.boolean(),
  order: fc.array(fc.nat(), { maxLength: 30 }),
  moves: fc.array(fc.constantFrom("stay", "symlink", "hard", "dot", "twice"), { maxLength: 30 }),
});

type Tree = typeof tree extends fc.Arbitrary<infer T> ? T : never;

function entriesOf(image: SmallImage, format: (typeof formats)[number]) {
  if (format === "docker") return { entries: graphArchive(image) };
  if (format === "podman") return { entries: podmanArchive(image) };
  const layout = new Layout();
  const root = layout.image(image);
  const inIndex = { ...root, platform: { os: "linux", architecture: "amd64" } };
  const top = format === "oci" ? root : layout.index([inIndex]);
  return { entries: layout.entries([named(top)]), digest: root.digest };
}

/** The same entries, some of them by way of links, under odd names or after others of their name. */
function moved(entry: TarEntry, move: string | undefined, at: number): TarEntry[] {
  if (!("content" in entry)) return [entry];
  const { name, content } = entry;
  const up = "../".repeat(name.split("/").length - 1);
  switch (move) {
    case "symlink":
      return [
        { name: `moved/${at}`, content },
        { name, symlink: `${up}moved/${at}` },
      ];
    case "hard":
      return [
        { name: `./moved/${at}`, content },
        { name, hard: `moved/${at}` },
      ];
    case "dot":
      return [{ name: `./a/../${name}`, content }];
    case "twice":
      return [{ name, content: "an older one" }, entry];
    default:
      return [entry];
  }
}

async function pushTree(entries: TarEntry[], image: SmallImage, way: string, packed: boolean) {
  const bytes = await tarOf(entries);
  const platform = "linux/amd64";
  const compression = packed ? ({ kind: "gzip", level: 1 } as const) : ({ kind: "none" } as const);
  const options = { platform, compression };
  if (way === "file") return world.pushFile(bytes, options);
  if (way === "gzip") return world.pushFile(gzipSync(bytes, { level: 1 }), options);
  if (way !== "stdin") {
    const store = way as "graph" | "podman" | "containerd";
    return world.push(await engineOf(store, image, entries), options);
  }
  return world.pushStream(bytes, options);
}

test("whatever an archive's layers, order, links and container, the registry gets the image that it is", async () => {
  await fc.assert(
    fc.asyncProperty(tree, async ({ layers, cmd, format, way, packed, empty, order, moves }) => {
      const image = imageOf(
        layers.map((at) => pool[at] ?? Buffer.alloc(0)),
        { cmd },
      );
      const { entries, digest } = entriesOf(image, format);
      const sorted = entries
        .map((entry, at) => ({ at, first: order[at] ?? at, entry }))
        .toSorted((one, other) => one.first - other.first)
        .flatMap(({ at, entry }) => moved(entry, moves[at], at));
      if (empty) await world.faulty.registry.clear();

      const pushed = await pushTree(sorted, image, way, packed);
      const held = await heldImage(world.faulty.registry.url, "app", "v1");
      expect(held).toEqual({ id: image.id, diffIds: image.diffIds, digest: pushed.digest });
      if (digest !== undefined) expect(pushed.digest).toBe(digest);
      expect(await world.leftovers()).toEqual([]);
    }),
    { numRuns: 80, examples: [[twice]] },
  );
});
