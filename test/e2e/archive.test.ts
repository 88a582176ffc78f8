import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { extract } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load, remove, save } from "./support/engine.ts";
import { engines } from "./support/environment.ts";
import { writeImage } from "./support/images.ts";
import { kpush } from "./support/kpush.ts";
import { apply, kubectl, runOnEveryNode } from "./support/kubectl.ts";
import { pulledRegistry } from "./support/registry.ts";

const MiB = 1 << 20;
const namespace = "kpush-e2e-archive";
/** No engine is needed, so none is there. */
const host = "unix:///nowhere.sock";

let registry: AsyncDisposable;
let directory: string;
beforeAll(async () => {
  registry = await pulledRegistry();
  await apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
  directory = await mkdtemp(join(tmpdir(), "kpush-e2e-archive-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await kubectl(["delete", "namespace", namespace, "--wait=false"]);
  await registry[Symbol.asyncDispose]();
});

/** Expects one line for each name, and runs each on every node. */
async function expectImages(stdout: string, names: string[]): Promise<void> {
  const lines = stdout.trim().split("\n");
  expect(lines.map((line) => line.split("@")[0])).toEqual(
    names.map((name) => `localhost:5000/${name}`),
  );
  for (const line of lines) await runOnEveryNode(line, namespace);
}

describe.each(engines)("what $name saves", (engine) => {
  const name = (word: string) => `kpush-e2e-${word}-${engine.name.toLowerCase()}:v1`;

  test("is pushed from a file, plain and compressed, and is the image that the engine has", async () => {
    const image = name("saved");
    await load(engine, { name: image, layers: [2 * MiB, MiB], seed: randomUUID() });
    try {
      const file = join(directory, "saved.tar");
      await save(engine, [image], file);
      const run = await kpush([file], { host });
      expect(run).toMatchObject({ code: 0 });
      await expectImages(run.stdout, [image]);
      await pipeline(createReadStream(file), createGzip(), createWriteStream(`${file}.gz`));
      const again = await kpush([`${file}.gz`], { host });
      expect(again).toMatchObject({ code: 0, stdout: run.stdout });
      expect(again.stderr).toContain("unchanged");
      const own = await kpush([image], { host: engine.host });
      expect(own.code).toBe(0);
      // A containerd store knows an image by its manifest, which is another once its layers are compressed.
      if (engine.name !== "containerd") expect(own.stderr).toContain("unchanged");
    } finally {
      await remove(engine, image);
    }
  });

  test("of two images is pushed from standard input, a reference line each", async () => {
    const images = [name("first"), name("second")];
    for (const image of images)
      await load(engine, { name: image, layers: [MiB], seed: randomUUID() });
    try {
      const file = join(directory, "both.tar");
      await save(engine, images, file);
      const run = await kpush(["-"], { host, stdin: file });
      expect(run).toMatchObject({ code: 0 });
      await expectImages(run.stdout.split("\n").sort().join("\n"), images);
    } finally {
      for (const image of images) await remove(engine, image);
    }
  });
});

test("what BuildKit writes is pushed from a directory, and under another name from standard input", async () => {
  const file = join(directory, "built.tar");
  const layout = join(directory, "built");
  const image = "kpush-e2e-built:v1";
  await writeImage(file, { name: image, layers: [2 * MiB], seed: randomUUID(), format: "oci" });
  await unpack(file, layout);
  const run = await kpush([`oci:${layout}`], { host });
  expect(run).toMatchObject({ code: 0 });
  await expectImages(run.stdout, [image]);
  const named = await kpush(["-", "--name", "kpush-e2e-piped:dev"], { host, stdin: file });
  expect(named).toMatchObject({ code: 0 });
  await expectImages(named.stdout, ["kpush-e2e-piped:dev"]);
  expect(named.stdout.split("@")[1]).toBe(run.stdout.split("@")[1]);
});

async function unpack(file: string, into: string): Promise<void> {
  const tar = extract();
  const piped = pipeline(createReadStream(file), tar);
  for await (const entry of tar) {
    const path = join(into, entry.header.name);
    await mkdir(dirname(path), { recursive: true });
    await pipeline(entry, createWriteStream(path));
  }
  await piped;
}
