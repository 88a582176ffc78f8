import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/image/digest.ts";
import { openArchive } from "../../src/push/archive/source.ts";
import { openDirectWorld } from "../fakes/direct-push.ts";
import { graphArchive, imageOf, tarOf, type TarEntry } from "../fakes/image-archives.ts";
import { Layout, type OciDescriptor } from "../fakes/oci-layout.ts";

const signal = new AbortController().signal;

describe("an archive is refused", () => {
  const image = imageOf([Buffer.from("one layer"), Buffer.from("another")]);
  const docker = graphArchive(image);
  const replaced = (name: RegExp, content: string): TarEntry[] =>
    docker.map((entry) => (name.test(entry.name) ? { name: entry.name, content } : entry));
  const layout = (change: (layout: Layout) => TarEntry[]) => change(new Layout());
  const manifest = (layers: string[], config = `${image.id.slice(7)}.json`) =>
    JSON.stringify([{ Config: config, Layers: layers }]);
  const windows = imageOf([Buffer.from("w")], { os: "windows" });

  const many = (one: OciDescriptor) => Array.from({ length: 5000 }, () => one);

  test.for([
    [
      "that is no image",
      [{ name: "etc/passwd", content: "" }],
      "ARCHIVE_INVALID",
      "neither a manifest.json nor",
    ],
    [
      "without its config",
      docker.filter(({ name }) => !name.startsWith(image.id.slice(7))),
      "ARCHIVE_INVALID",
      "is missing",
    ],
    [
      "without a layer",
      docker.filter(({ name }, at) => !name.endsWith("layer.tar") || at > 3),
      "ARCHIVE_INVALID",
      "is missing",
    ],
    ["with a broken manifest.json", replaced(/^manifest/, "{"), "ARCHIVE_INVALID", "manifest.json"],
    ["with an empty list", replaced(/^manifest/, "[]"), "ARCHIVE_INVALID", "lists no image"],
    [
      "with fewer layers than diff_ids",
      replaced(/^manifest/, manifest([])),
      "ARCHIVE_INVALID",
      "differ in layers",
    ],
    [
      "with another layer's content",
      replaced(/layer\.tar$/, "other"),
      "ARCHIVE_INVALID",
      "is another",
    ],
    [
      "whose names leave it",
      [...docker, { name: "../x", content: "" }],
      "ARCHIVE_INVALID",
      "points out of",
    ],
    [
      "whose links leave it",
      [...docker, { name: "a/x", symlink: "../../etc/passwd" }],
      "ARCHIVE_INVALID",
      "points out of",
    ],
    [
      "whose links are absolute",
      [...docker, { name: "a/x", symlink: "/etc/passwd" }],
      "ARCHIVE_INVALID",
      "points out of",
    ],
    [
      "whose links go in a circle",
      [...docker, { name: "manifest.json", symlink: "b" }, { name: "b", symlink: "manifest.json" }],
      "ARCHIVE_INVALID",
      "leads to itself",
    ],
    ["of a Windows image", graphArchive(windows), "IMAGE_UNSUPPORTED", "Windows"],
    [
      "with a large config",
      replaced(/^[0-9a-f]{64}\.json$/, " ".repeat(5 << 20)),
      "ARCHIVE_INVALID",
      "larger than 4 MiB",
    ],
    [
      "whose layout lies about a size",
      layout((one) => one.entries([{ ...one.image(image), size: 3 }])),
      "ARCHIVE_INVALID",
      "not the size",
    ],
    [
      "whose layout names another digest",
      layout((one) =>
        one.entries([
          { ...one.image(image), digest: digestOf(image.config), size: image.config.length },
        ]),
      ),
      "ARCHIVE_INVALID",
      "schema version 2",
    ],
    [
      "whose digests are none",
      layout((one) => one.entries([{ ...one.image(image), digest: "sha256:../../x" }])),
      "ARCHIVE_INVALID",
      "is no digest",
    ],
    [
      "whose indexes are too deep",
      layout((one) => one.entries([one.index([one.index([one.index([one.image(image)])])])])),
      "ARCHIVE_INVALID",
      "deep",
    ],
    [
      "whose indexes name one another without end",
      layout((one) => one.entries([one.index(many(one.index(many(one.image(image)))))])),
      "ARCHIVE_INVALID",
      "more manifests than any image has",
    ],
  ] as const)("%s", async ([, entries, code, words]) => {
    await using world = await openDirectWorld();
    await expect(world.pushFile(await tarOf(entries))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words) as string,
    });
    expect(world.takePuts()).not.toContain("v1");
  });

  test("that lacks a layer of its layout", async () => {
    await using world = await openDirectWorld();
    const one = new Layout();
    const descriptor = one.image(image);
    one.drop(digestOf(gzipSync(image.layers[0] ?? Buffer.alloc(0), { level: 1 })));
    await expect(world.pushFile(await tarOf(one.entries([descriptor])))).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: expect.stringContaining("is missing") as string,
    });
  });

  test("for a platform that it has not, naming those that it has", async () => {
    await using world = await openDirectWorld();
    await expect(
      world.pushFile(await tarOf(docker), { platform: "linux/s390x" }),
    ).rejects.toMatchObject({
      code: "PLATFORM_NOT_FOUND",
      hint: "try --platform linux/amd64",
    });
  });

  test("wherever it is cut off", async () => {
    await using world = await openDirectWorld();
    const whole = await tarOf(docker);
    const end = whole.indexOf("repositories");
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: end - 512 }), async (length) => {
        await expect(world.pushFile(whole.subarray(0, length))).rejects.toMatchObject({
          code: "ARCHIVE_INVALID",
        });
      }),
      { numRuns: 40 },
    );
    expect(world.takePuts()).toEqual([]);
  });

  test.for([
    ["a compressed one that is cut off", gzipSync(Buffer.alloc(9000)).subarray(0, 30)],
    ["a compressed one that is no tar", gzipSync(Buffer.alloc(9000, "x"))],
    ["text", Buffer.from("FROM scratch\n".repeat(100))],
    ["nothing", Buffer.alloc(0)],
  ] as const)("where it is %s", async ([, bytes]) => {
    await using world = await openDirectWorld();
    await expect(world.pushFile(bytes)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    expect(await world.leftovers()).toEqual([]);
  });

  test("where there is no such file", async () => {
    await expect(openArchive("./nowhere.tar", { signal, cwd: "/" })).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      message: "there is no file ./nowhere.tar",
    });
  });

  test("where it is no file", async () => {
    await expect(openArchive("/dev/null", { signal })).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  });
});
