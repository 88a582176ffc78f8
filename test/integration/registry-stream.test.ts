import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import type { StreamSource } from "../../src/registry/types.ts";
import { blobOf, clientOf } from "../fakes/registry-client.ts";
import { answers, hangsUp, refuses, startFaultyRegistry } from "../fakes/registry.ts";

const MiB = 1024 * 1024;

/** A source that tells its digest only at its end, and counts how often it was opened. */
function sourceOf(bytes: Buffer): StreamSource & { offsets: number[] } {
  const blob = blobOf(bytes);
  const offsets: number[] = [];
  let ended = false;
  return {
    offsets,
    open: (offset) => {
      offsets.push(offset);
      const body = blob.open(offset) as Readable;
      return body.once("end", () => (ended = true));
    },
    result() {
      if (!ended) throw new Error("asked before the end");
      return { digest: blob.digest, size: blob.size };
    },
  };
}

test("a stream goes up before its digest is known, in three round trips", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const bytes = randomBytes(3 * MiB + 1);
  const { digest } = blobOf(bytes);
  const sent: number[] = [];
  const result = await client.uploadStream("app", sourceOf(bytes), (offset) => sent.push(offset));
  expect(result).toEqual({ digest, size: bytes.length });
  expect(sent.at(-1)).toBe(bytes.length);
  expect(faulty.takeRequests()).toEqual([
    "POST /v2/app/blobs/uploads/",
    "PATCH /v2/app/blobs/uploads/ID",
    "PUT /v2/app/blobs/uploads/ID",
  ]);
  expect(faulty.registry.store.sizes.get(digest)).toBe(bytes.length);
});

test("a short stream goes up in two round trips, and is not read again after a lost connection", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const source = sourceOf(randomBytes(MiB));
  faulty.cutAfter(MiB / 2);
  const { digest, size } = await client.uploadStream("app", source);
  expect(source.offsets).toEqual([0]);
  expect(faulty.registry.store.sizes.get(digest)).toBe(size);
  expect(faulty.takeRequests()).not.toContainEqual(expect.stringMatching(/^PATCH/));
});

test("a stream whose connection breaks goes on where the registry stands", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const source = sourceOf(randomBytes(8 * MiB));
  faulty.cutAfter(5 * MiB);
  const { digest, size } = await client.uploadStream("app", source);
  expect(source.offsets[0]).toBe(0);
  expect(source.offsets[1]).toBeGreaterThan(4 * MiB);
  expect(faulty.registry.store.sizes.get(digest)).toBe(size);
});

test("a stream starts again where the registry has forgotten the upload", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const source = sourceOf(randomBytes(4 * MiB));
  faulty.fault(/^GET .*uploads/, refuses(404, "BLOB_UPLOAD_UNKNOWN"));
  faulty.cutAfter(2 * MiB);
  const { digest, size } = await client.uploadStream("app", source);
  expect(source.offsets).toEqual([0, 0]);
  expect(faulty.registry.store.sizes.get(digest)).toBe(size);
});

test("a stream is not sent twice where only the last answer was lost", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const bytes = randomBytes(MiB);
  const source = sourceOf(bytes);
  faulty.fault(/^PUT .*uploads/, (request) => {
    void client.uploadBlob("app", blobOf(bytes)).then(() => request.socket.destroy());
  });
  await client.uploadStream("app", source);
  expect(source.offsets).toEqual([0]);
});

test("a stream that breaks while the registry has not answered yet fails the upload, and nothing else", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const block = randomBytes(MiB);
  const damaged = new Error("the disk is gone");
  async function* content(): AsyncGenerator<Buffer, void, undefined> {
    for (let mebibytes = 0; mebibytes < 3; mebibytes += 1) yield await Promise.resolve(block);
    throw damaged;
  }
  const body = Readable.from(content(), { objectMode: false });
  faulty.fault(/^POST/, (_, response) => {
    body.once("close", () => response.writeHead(202, { location: "there" }).end());
  });
  faulty.fault(/^PATCH/, () => undefined);
  const source = { ...sourceOf(Buffer.alloc(0)), open: () => body };
  await expect(client.uploadStream("app", source)).rejects.toBe(damaged);
});

test.for([
  ["short", 1],
  ["long", 3 * MiB],
] as const)("a %s stream that must not be kept is called off", async ([, size]) => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const damaged = new Error("another content");
  const result = () => {
    throw damaged;
  };
  const source = { ...sourceOf(randomBytes(size)), result };
  await expect(client.uploadStream("app", source)).rejects.toBe(damaged);
  expect(faulty.registry.store.uploads.size).toBe(0);
});

test.for([
  ["relative", "there?_state=x"],
  ["of the path alone", "/v2/app/blobs/uploads/there?_state=x"],
  ["absolute", "http://registry:5000/v2/app/blobs/uploads/there?_state=x"],
  ["foreign", "https://evil.example/v2/app/blobs/uploads/there?_state=x"],
] as const)("a Location that is %s is followed within the registry", async ([, location]) => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  faulty.fault(/^POST/, answers(202, "", { location }));
  faulty.fault(
    /^PATCH \/v2\/app\/blobs\/uploads\/there\?_state=x$/,
    answers(202, "", { location }),
  );
  faulty.fault(/^PUT \/v2\/app\/blobs\/uploads\/there\?_state=x&digest=/, answers(201));
  await client.uploadStream("app", sourceOf(randomBytes(3 * MiB)));
  expect(faulty.registry.requests).toHaveLength(3);
});

test("an answer that is closed in its middle is asked for again", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  faulty.fault(/./, (request, response) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write("{", () => request.socket.destroy());
  });
  await client.ping();
  expect(faulty.registry.requests).toHaveLength(2);
});

test("a blob is mounted from another repository", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const blob = blobOf(Buffer.from("layer"));
  await client.uploadBlob("base", blob);
  expect(await client.mountBlob("app", blob.digest, "base")).toBe(true);
  expect(await client.hasBlob("app", blob.digest)).toBe(true);
});

test.for([
  ["has it not there", undefined],
  ["does not mount", refuses(405, "UNSUPPORTED")],
  ["does not let the user see that repository", refuses(401, "UNAUTHORIZED")],
] as const)(
  "where the registry %s, a mount is no error and leaves no upload",
  async ([, fault]) => {
    await using faulty = await startFaultyRegistry();
    await using client = clientOf(faulty);
    if (fault) faulty.fault(/^POST/, fault);
    const { digest } = blobOf(Buffer.from("layer"));
    expect(await client.mountBlob("app", digest, "base")).toBe(false);
    expect(faulty.registry.store.uploads.size).toBe(0);
  },
);

test("a mount whose connection is lost is asked for again", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const blob = blobOf(Buffer.from("layer"));
  await client.uploadBlob("base", blob);
  faulty.fault(/^POST/, hangsUp);
  expect(await client.mountBlob("app", blob.digest, "base")).toBe(true);
});
