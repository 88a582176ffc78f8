import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { digestOf } from "../../src/image/digest.ts";
import { blobOf, clientOf } from "../fakes/registry-client.ts";
import { answers, refuses, startFaultyRegistry } from "../fakes/registry.ts";

const MiB = 1024 * 1024;

test("a blob goes up in two round trips over one connection, and comes back", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const bytes = randomBytes(3 * MiB + 17);
  const blob = blobOf(bytes);
  const sent: number[] = [];

  expect(await client.hasBlob("team/app", blob.digest)).toBe(false);
  await client.uploadBlob("team/app", blob, (offset) => sent.push(offset));

  expect(faulty.takeRequests().slice(1)).toEqual([
    "POST /v2/team/app/blobs/uploads/",
    "PUT /v2/team/app/blobs/uploads/ID",
  ]);
  expect(faulty.connections).toBe(1);
  expect(sent).toEqual(sent.toSorted((one, two) => one - two));
  expect(sent.at(-1)).toBe(blob.size);
  expect(await client.hasBlob("team/app", blob.digest)).toBe(true);
  expect((await buffer(await client.getBlob("team/app", blob.digest))).equals(bytes)).toBe(true);
});

test("a blob of no bytes goes up too", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const blob = blobOf(Buffer.alloc(0));
  await client.uploadBlob("app", blob);
  expect(faulty.registry.store.sizes.get(blob.digest)).toBe(0);
});

test("a blob whose connection breaks goes on where the registry stands", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const blob = blobOf(randomBytes(8 * MiB));
  const opened: number[] = [];
  faulty.cutAfter(5 * MiB);
  await client.uploadBlob("app", {
    ...blob,
    open: (offset) => (opened.push(offset), blob.open(offset)),
  });

  expect(faulty.takeRequests()).toEqual([
    "POST /v2/app/blobs/uploads/",
    "PUT /v2/app/blobs/uploads/ID",
    `HEAD /v2/app/blobs/${blob.digest}`,
    "GET /v2/app/blobs/uploads/ID",
    "PUT /v2/app/blobs/uploads/ID",
  ]);
  expect(opened[0]).toBe(0);
  expect(opened[1]).toBeGreaterThan(4 * MiB);
  expect(faulty.registry.store.sizes.get(blob.digest)).toBe(blob.size);
});

test("a blob starts again where the registry has forgotten the upload", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const blob = blobOf(randomBytes(4 * MiB));
  const sent: number[] = [];
  faulty.fault(/^GET .*uploads/, refuses(404, "BLOB_UPLOAD_INVALID")); // distribution 2.8
  faulty.cutAfter(2 * MiB);
  await client.uploadBlob("app", blob, (offset) => sent.push(offset));
  expect(sent).toContain(0);
  expect(faulty.registry.store.sizes.get(blob.digest)).toBe(blob.size);
});

test("a blob is not sent twice where only the answer was lost", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const bytes = randomBytes(1000);
  const blob = blobOf(bytes);
  faulty.fault(/^PUT .*uploads/, (request) => {
    void client.uploadBlob("app", blob).then(() => request.socket.destroy());
  });
  await client.uploadBlob("app", blob);
  expect(faulty.takeRequests().filter((line) => line.startsWith("PUT"))).toHaveLength(2);
});

test("a blob goes only to the path of a foreign Location", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const blob = blobOf(Buffer.from("layer"));
  faulty.fault(
    /^POST/,
    answers(202, "", {
      location: "http://evil.example:81/v2/app/blobs/uploads/there?_state=a%2Bb",
    }),
  );
  faulty.fault(
    /^PUT \/v2\/app\/blobs\/uploads\/there\?_state=a%2Bb&digest=sha256%3A/,
    answers(201),
  );
  await client.uploadBlob("app", blob);
  expect(faulty.registry.requests.at(-1)).toContain("/uploads/there?_state=a%2Bb&digest=");
});

test.for(["", "http://[bad", "/elsewhere", undefined])(
  "%j is no Location to go on at",
  async (location) => {
    await using faulty = await startFaultyRegistry();
    await using client = clientOf(faulty);
    faulty.fault(/^POST/, answers(202, "", location === undefined ? {} : { location }));
    await expect(client.uploadBlob("app", blobOf(Buffer.from("x")))).rejects.toMatchObject({
      code: "REGISTRY_UNHEALTHY",
    });
  },
);

test("a blob that the registry lets others fetch from its own store is there, and not asked for elsewhere", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const { digest } = blobOf(Buffer.from("layer"));
  const store = "http://minio.storage:9000/registry/blobs/data?signature=x";
  faulty.fault(/^HEAD/, answers(307, "", { location: store }));
  expect(await client.hasBlob("app", digest)).toBe(true);
  expect(faulty.registry.requests).toHaveLength(1);
});

test("a blob that the registry takes for another is refused", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  faulty.fault(/^PUT/, answers(201, "", { "docker-content-digest": digestOf(Buffer.from("y")) }));
  await expect(client.uploadBlob("app", blobOf(Buffer.from("x")))).rejects.toMatchObject({
    code: "VERIFY_FAILED",
  });
});

test("a blob with another content than its digest is rejected once and for all", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const blob = { ...blobOf(Buffer.from("x")), digest: digestOf(Buffer.from("y")) };
  await expect(client.uploadBlob("app", blob)).rejects.toMatchObject({
    code: "PUSH_REJECTED",
    cause: { codes: ["DIGEST_INVALID"], status: 400 },
  });
  expect(faulty.takeRequests()).toHaveLength(2);
});

test("a blob that is shorter or longer than it says is no upload", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const blob = blobOf(Buffer.from("four"));
  for (const size of [3, 5]) {
    await expect(client.uploadBlob("app", { ...blob, size })).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  }
});

test("a blob that cannot be read says so, and is not tried again", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const failure = new Error("the disk broke");
  const open = () => new Readable({ read: () => undefined, construct: (done) => done(failure) });
  await expect(client.uploadBlob("app", { ...blobOf(Buffer.alloc(10)), open })).rejects.toBe(
    failure,
  );
  expect(faulty.takeRequests().filter((line) => line.startsWith("POST"))).toHaveLength(1);
});

test("a blob is left off when the registry refuses it halfway", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const blob = blobOf(Buffer.alloc(64 * MiB));
  let read = 0;
  faulty.fault(/^PUT/, answers(413, "request entity too large"));
  const open = (offset: number) => blob.open(offset) as Readable;
  const counting = (offset: number) =>
    open(offset).map((chunk: Buffer) => ((read += chunk.length), chunk), { concurrency: 1 });
  await expect(client.uploadBlob("app", { ...blob, open: counting })).rejects.toMatchObject({
    code: "PUSH_REJECTED",
    message: expect.stringContaining("too large") as string,
  });
  expect(read).toBeLessThan(blob.size);
});
