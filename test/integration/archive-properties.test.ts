import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { extract } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KpushError } from "../../src/errors.ts";
import { ArchiveIndex } from "../../src/image/archive-index.ts";
import { digestOf } from "../../src/image/digest.ts";
import { regionEntry } from "../../src/push/archive/file.ts";
import { openArchiveReader, type ArchiveReader } from "../fakes/archive-reader.ts";
import { graphArchive, imageOf, streamOf, tarOf } from "../fakes/image-archives.ts";

let archives: ArchiveReader;
beforeAll(async () => {
  archives = await openArchiveReader();
});
afterAll(() => archives[Symbol.asyncDispose]());

test("whatever bytes are changed, an archive is read or refused, and nothing is written", async () => {
  const whole = await tarOf(graphArchive(imageOf([Buffer.from("l")])));
  const change = fc.record({
    at: fc.integer({ min: 0, max: whole.length - 1 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const bytes = Buffer.from(whole);
      for (const { at, bytes: other } of changes) bytes.set(other.slice(0, whole.length - at), at);
      await archives
        .read(bytes)
        .catch((error: unknown) => expect(error).toBeInstanceOf(KpushError));
      expect(await archives.files()).toEqual(["app.tar"]);
    }),
    { numRuns: 200 },
  );
});

test("no name of an entry leads to a file outside", async () => {
  const part = fc.oneof(fc.constantFrom("..", ".", "", "etc", "\\", "C:"), fc.string());
  const name = fc.array(part, { maxLength: 6 }).map((parts) => parts.join("/").slice(0, 99));
  await fc.assert(
    fc.asyncProperty(name, name, async (one, two) => {
      const index = new ArchiveIndex("x");
      const entry = regionOf();
      try {
        index.add(one, entry);
        index.addLink("link", two, "directory");
      } catch (error) {
        expect(error).toMatchObject({ code: "ARCHIVE_INVALID" });
        return;
      }
      expect([entry, undefined]).toContain(index.find("link"));
      expect(index.find(one === "link" ? two : one)).toBeDefined();
      await Promise.resolve();
    }),
  );
});

test("an archive is understood as tar-stream understands it", async () => {
  const text = fc.stringMatching(/^[a-zé]{1,60}(\/[a-z]{1,60}){0,4}$/);
  const entries = fc.uniqueArray(fc.record({ name: text, content: fc.string() }), {
    selector: ({ name }) => name,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(entries, async (list) => {
      const image = graphArchive(imageOf([Buffer.from("l")]));
      const bytes = await tarOf([...list, ...image]);
      expect(await archives.read(bytes)).toEqual({ names: ["app:v1"], layer: "l" });
      const names: string[] = [];
      const tar = extract();
      tar.end(bytes);
      for await (const entry of tar) {
        names.push(entry.header.name);
        entry.resume();
      }
      expect(names).toEqual([...list, ...image].map(({ name }) => name));
    }),
    { numRuns: 50 },
  );
});

test("any range of an entry is what lies there", async () => {
  const bytes = Buffer.from(Array.from({ length: 3000 }, (_, at) => at % 251));
  const path = join(archives.directory, "app.tar");
  await writeFile(path, bytes);
  await using handle = await open(path);
  const bound = fc.nat({ max: 1500 });
  await fc.assert(
    fc.asyncProperty(bound, bound, bound, async (start, size, from) => {
      const entry = regionEntry({ handle, start, size, failure: () => new Error("read") });
      const offset = Math.min(from, size);
      const content = bytes.subarray(start, start + size);
      expect(await buffer(entry.open(offset))).toEqual(Buffer.from(content.subarray(offset)));
      expect(await entry.head(from)).toEqual(Buffer.from(content.subarray(0, from)));
    }),
  );
});

function regionOf() {
  return {
    ...{ size: 0, digest: digestOf(Buffer.alloc(0)) },
    head: () => Promise.resolve(Buffer.alloc(0)),
    open: () => streamOf(Buffer.alloc(0)),
  };
}
