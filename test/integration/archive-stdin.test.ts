import { once } from "node:events";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { push as pushImages } from "../../src/index.ts";
import { Interrupted } from "../../src/output/interrupted.ts";
import { graphArchive, imageOf, streamOf, tarOf, together } from "../fakes/image-archives.ts";
import { Layout, named } from "../fakes/oci-layout.ts";
import { startWorld, type World } from "../fakes/world.ts";

/** A world whose temporary files go to a directory of their own. */
async function worldWithTemporary(options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  const directory = join(world.home, "temporary");
  await mkdir(directory);
  world.env["TMPDIR"] = directory;
  return Object.assign(world, { leftovers: () => readdir(directory) });
}

const push = (world: World, bytes: Buffer, ...more: string[]) =>
  world.kpush(["-", ...more], undefined, streamOf(bytes));

test("what docker save writes is pushed from standard input, and is then unchanged", async () => {
  await using world = await worldWithTemporary();
  const bytes = await tarOf(graphArchive(imageOf()));
  const first = await push(world, bytes, "-v");
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^localhost:5000\/app:v1@sha256:/) as string,
  });
  expect(first.stderr).toContain(`standard input: ${bytes.length} bytes, kept as ${bytes.length}`);
  expect((await push(world, bytes)).stderr).toContain("unchanged");
  expect(world.engine.requests).toEqual([]);
  expect(await world.leftovers()).toEqual([]);
});

test("what BuildKit writes has a name with --name, and needs one", async () => {
  await using world = await worldWithTemporary();
  const layout = new Layout();
  const image = layout.image(imageOf());
  const bytes = await tarOf(layout.entries([image]));
  expect(await push(world, bytes)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("add --name NAME[:TAG]") as string,
  });
  expect((await push(world, bytes, "--name", "myapp:dev")).stdout).toBe(
    `localhost:5000/myapp:dev@${image.digest}\n`,
  );
});

test("a compressed stream is unpacked, and may hold several images beside others", async () => {
  await using world = await worldWithTemporary({
    images: [{ names: ["local:v1"], layers: ["one"] }],
  });
  const entries = together(graphArchive(imageOf(), "one:v1"), graphArchive(imageOf(), "two:v1"));
  const stdin = streamOf(gzipSync(await tarOf(entries)));
  const run = await world.kpush(["local:v1", "-"], undefined, stdin);
  expect(run.stdout.match(/[a-z]+:v1/g)).toEqual(["local:v1", "one:v1", "two:v1"]);
  expect(await world.leftovers()).toEqual([]);
});

test("a terminal is refused before anything is asked, with what to pipe", async () => {
  await using world = await startWorld();
  expect(await world.kpush(["-"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("docker save myapp:dev | kpush -") as string,
  });
  expect(world.api.requests).toEqual([]);
});

test("standard input is read once only", async () => {
  await using world = await startWorld();
  expect(await world.kpush(["-", "-"], undefined, Readable.from([]))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("twice") as string,
  });
});

test.for([
  ["is empty", Buffer.alloc(0), "standard input is empty"],
  ["is too short for anything", Buffer.from("no"), "cut off"],
  ["is no archive", Buffer.alloc(4096, "x"), "no tar archive"],
  ["is broken gzip", gzipSync(Buffer.alloc(9000)).subarray(0, 30), "is damaged"],
] as const)("a stream that %s is refused", async ([, bytes, words]) => {
  await using world = await worldWithTemporary();
  expect(await push(world, bytes)).toMatchObject({
    code: 3,
    stdout: "",
    stderr: expect.stringContaining(words) as string,
  });
  expect(await world.leftovers()).toEqual([]);
});

test("a program hands its own stream in place of standard input", async () => {
  await using world = await worldWithTemporary();
  const { env, home } = world;
  const stdin = new Blob([Uint8Array.from(await tarOf(graphArchive(imageOf())))]).stream();
  const { images } = await pushImages({ env, home, images: ["-"], stdin });
  expect(images).toMatchObject([{ image: "-", tags: ["v1"] }]);
  expect(
    await pushImages({ env, home, images: ["-"] }).catch((error: unknown) => error),
  ).toMatchObject({
    code: "USAGE",
  });
});

test("a stream that breaks is told as such", async () => {
  await using world = await worldWithTemporary();
  const stdin = Readable.from(
    (async function* () {
      yield await Promise.resolve(Buffer.alloc(10));
      throw new Error("the pipe burst");
    })(),
    { objectMode: false },
  );
  expect(await world.kpush(["-"], undefined, stdin)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("cannot be read: the pipe burst") as string,
  });
  expect(await world.leftovers()).toEqual([]);
});

test("without a registry the stream is not read to its end", async () => {
  await using world = await worldWithTemporary();
  const stdin = new PassThrough(); // which has no end
  stdin.write("the beginning of an archive");
  expect(await world.kpush(["-", "-n", "nowhere"], undefined, stdin)).toMatchObject({
    code: 5,
    stderr: expect.stringContaining("there is no registry") as string,
  });
  expect(stdin.destroyed).toBe(true);
  expect(await world.leftovers()).toEqual([]);
});

test("an interruption ends the reading, and leaves nothing behind", async () => {
  await using world = await worldWithTemporary();
  const stdin = new PassThrough();
  const layout = new Layout();
  const bytes = await tarOf(layout.entries([named(layout.image(imageOf()))]));
  const controller = new AbortController();
  const running = world.kpush(["-"], controller.signal, stdin);
  stdin.write(bytes.subarray(0, 100_000));
  await once(stdin, "drain"); // all of it is in the file
  controller.abort(new Interrupted("SIGINT", 2));
  expect((await running).code).toBe(130);
  expect(stdin.destroyed).toBe(true);
  expect(await world.leftovers()).toEqual([]);
});
