import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { startRegistry } from "../../src/demo/registry.ts";
import { digestOf } from "../../src/image/digest.ts";
import { ask, begin, unknown, upload } from "./demo-registry-client.ts";

test("a blob that is uploaded in chunks comes back as it was", async () => {
  await using registry = await startRegistry();
  const blob = randomBytes(300_000);
  const digest = digestOf(blob);
  const path = await begin(registry);
  const first = await ask(registry, "PATCH", path, {
    body: blob.subarray(0, 100_000),
    headers: { "content-range": "0-99999" },
  });
  expect([first.status, first.headers.range]).toEqual([202, "0-99999"]);
  const second = await ask(registry, "PATCH", path, { body: blob.subarray(100_000, 200_000) });
  expect([second.status, second.headers.range]).toEqual([202, "0-199999"]);
  const state = await ask(registry, "GET", path);
  expect([state.status, state.headers.range]).toEqual([204, "0-199999"]);
  const last = await ask(registry, "PUT", `${path}?digest=${digest}`, {
    body: blob.subarray(200_000),
  });
  expect([last.status, last.headers["docker-content-digest"]]).toEqual([201, digest]);

  const { status, headers, body } = await ask(registry, "GET", `/v2/app/blobs/${digest}`);
  expect([status, headers["content-length"]]).toEqual([200, "300000"]);
  expect(body.equals(blob)).toBe(true);
  const head = await ask(registry, "HEAD", `/v2/app/blobs/${digest}`);
  expect([head.status, head.headers["content-length"], head.body.length]).toEqual([
    200,
    "300000",
    0,
  ]);
});

test("one POST takes a whole blob, an empty one too", async () => {
  await using registry = await startRegistry();
  for (const body of [Buffer.from("whole"), Buffer.alloc(0)]) {
    const digest = digestOf(body);
    const { status } = await ask(registry, "POST", `/v2/app/blobs/uploads/?digest=${digest}`, {
      body,
    });
    expect(status).toBe(201);
    expect((await ask(registry, "GET", `/v2/app/blobs/${digest}`)).body.equals(body)).toBe(true);
  }
});

test("a chunk that does not begin where the upload stands is refused with the place", async () => {
  await using registry = await startRegistry();
  const path = await begin(registry);
  await ask(registry, "PATCH", path, { body: "12345" });
  const { status, headers } = await ask(registry, "PATCH", path, {
    body: "789",
    headers: { "content-range": "6-8" },
  });
  expect([status, headers.range]).toEqual([416, "0-4"]);
});

test("what arrived before a connection broke can be resumed from there", async () => {
  await using registry = await startRegistry();
  const path = await begin(registry);
  const client = connect(registry.port, "127.0.0.1");
  const broken = new Promise<void>((resolve) => {
    registry.onRequest = (incoming) => {
      incoming.on("close", resolve);
      setImmediate(() => client.destroy()); // the bytes came in one packet with the head
      return false;
    };
  });
  client.write(`PATCH ${path} HTTP/1.1\r\nHost: registry\r\nContent-Length: 10\r\n\r\n12345`);
  await broken;
  registry.onRequest = undefined;

  expect((await ask(registry, "GET", path)).headers.range).toBe("0-4");
  const digest = digestOf(Buffer.from("123456"));
  const { status } = await ask(registry, "PUT", `${path}?digest=${digest}`, {
    body: "6",
    headers: { "content-range": "5-5" },
  });
  expect(status).toBe(201);
});

test("content that is not what its digest says is refused and forgotten", async () => {
  await using registry = await startRegistry();
  const path = await begin(registry);
  const { status, error } = await ask(registry, "PUT", `${path}?digest=${unknown}`, { body: "x" });
  expect([status, error]).toEqual([400, "DIGEST_INVALID"]);
  expect((await ask(registry, "GET", path)).error).toBe("BLOB_UPLOAD_UNKNOWN");
  expect((await ask(registry, "HEAD", `/v2/app/blobs/${unknown}`)).status).toBe(404);
});

test("an upload that is cancelled is unknown afterwards", async () => {
  await using registry = await startRegistry();
  const path = await begin(registry);
  expect((await ask(registry, "DELETE", path)).status).toBe(204);
  expect((await ask(registry, "PATCH", path, { body: "x" })).error).toBe("BLOB_UPLOAD_UNKNOWN");
});

test("a blob is in the repositories that it was sent to or mounted in, and no other", async () => {
  await using registry = await startRegistry();
  const digest = await upload(registry, Buffer.from("shared"), "one");
  expect((await ask(registry, "HEAD", `/v2/two/blobs/${digest}`)).status).toBe(404);

  const mount = await ask(registry, "POST", `/v2/two/blobs/uploads/?mount=${digest}&from=one`);
  expect(mount.status).toBe(201);
  expect((await ask(registry, "HEAD", `/v2/two/blobs/${digest}`)).status).toBe(200);

  const elsewhere = await ask(
    registry,
    "POST",
    `/v2/three/blobs/uploads/?mount=${digest}&from=none`,
  );
  expect(elsewhere.status).toBe(202);
  expect(elsewhere.headers.location).toMatch(/\/v2\/three\/blobs\/uploads\/./);
});

test.for<[range: string, status: number, body: string, contentRange: string]>([
  ["bytes=2-4", 206, "234", "bytes 2-4/10"],
  ["bytes=7-", 206, "789", "bytes 7-9/10"],
  ["bytes=-2", 206, "89", "bytes 8-9/10"],
  ["bytes=8-100", 206, "89", "bytes 8-9/10"],
])("the range %s of a blob", async ([range, status, body, contentRange]) => {
  await using registry = await startRegistry();
  const digest = await upload(registry, Buffer.from("0123456789"));
  const answer = await ask(registry, "GET", `/v2/app/blobs/${digest}`, { headers: { range } });
  expect([answer.status, answer.body.toString(), answer.headers["content-range"]]).toEqual([
    status,
    body,
    contentRange,
  ]);
});

test("a range behind the end of a blob is refused", async () => {
  await using registry = await startRegistry();
  const digest = await upload(registry, Buffer.from("0123456789"));
  const answer = await ask(registry, "GET", `/v2/app/blobs/${digest}`, {
    headers: { range: "bytes=10-" },
  });
  expect([answer.status, answer.headers["content-range"]]).toEqual([416, "bytes */10"]);
});

test("a blob that is deleted is gone from its repository", async () => {
  await using registry = await startRegistry();
  const digest = await upload(registry, Buffer.from("x"));
  expect((await ask(registry, "DELETE", `/v2/app/blobs/${digest}`)).status).toBe(202);
  expect((await ask(registry, "GET", `/v2/app/blobs/${digest}`)).error).toBe("BLOB_UNKNOWN");
});
