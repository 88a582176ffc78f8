import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rmdir } from "node:fs/promises";
import { request, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { startRegistry, type Registry } from "../../src/demo/registry.ts";
import { digestOf } from "../../src/image/digest.ts";

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";
const unknown = `sha256:${"0".repeat(64)}`;

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Code of the first error of the specification's error document. */
  error: string | undefined;
}

async function ask(
  registry: Registry,
  method: string,
  path: string,
  options: { body?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { body, headers = {} } = options;
  const outgoing = request(new URL(path, registry.url), { method, headers, agent: false });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const bytes = await buffer(response);
  const json = response.headers["content-type"] === "application/json" && bytes.length > 0;
  const document = json ? (JSON.parse(bytes.toString()) as { errors?: { code: string }[] }) : {};
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: bytes,
    error: document.errors?.[0]?.code,
  };
}

/** Begins an upload and returns its path. */
async function begin(registry: Registry, repository = "app"): Promise<string> {
  const { status, headers } = await ask(registry, "POST", `/v2/${repository}/blobs/uploads/`);
  expect(status).toBe(202);
  return new URL(headers.location ?? "", registry.url).pathname;
}

async function upload(registry: Registry, blob: Buffer, repository = "app"): Promise<string> {
  const digest = digestOf(blob);
  const path = await begin(registry, repository);
  const { status } = await ask(registry, "PUT", `${path}?digest=${digest}`, { body: blob });
  expect(status).toBe(201);
  return digest;
}

/** A manifest of one config and one layer, as bytes. */
function manifestOf(config: string, layer: string): Buffer {
  const descriptor = (digest: string) => ({
    mediaType: "application/octet-stream",
    digest,
    size: 1,
  });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: descriptor(config),
      layers: [descriptor(layer)],
    }),
  );
}

async function pushManifest(registry: Registry, tag = "v1", repository = "app"): Promise<string> {
  const config = await upload(registry, Buffer.from(`config of ${tag}`), repository);
  const layer = await upload(registry, Buffer.from("layer"), repository);
  const body = manifestOf(config, layer);
  const { status } = await ask(registry, "PUT", `/v2/${repository}/manifests/${tag}`, {
    body,
    headers: { "content-type": manifestType },
  });
  expect(status).toBe(201);
  return digestOf(body);
}

test("the base answers, and says which API it is", async () => {
  await using registry = await startRegistry();
  const { status, headers } = await ask(registry, "GET", "/v2/");
  expect(status).toBe(200);
  expect(headers["docker-distribution-api-version"]).toBe("registry/2.0");
});

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

test("a manifest is served by tag and by digest, byte for byte", async () => {
  await using registry = await startRegistry();
  const digest = await pushManifest(registry);
  for (const reference of ["v1", digest]) {
    const { headers, body } = await ask(registry, "GET", `/v2/app/manifests/${reference}`);
    expect(headers["content-type"]).toBe(manifestType);
    expect(headers["docker-content-digest"]).toBe(digest);
    expect(digestOf(body)).toBe(digest);
    const head = await ask(registry, "HEAD", `/v2/app/manifests/${reference}`);
    expect([head.status, head.headers["docker-content-digest"]]).toEqual([200, digest]);
  }
});

test("a manifest that names a blob which is not in its repository is refused", async () => {
  await using registry = await startRegistry();
  const config = await upload(registry, Buffer.from("config"));
  const layer = await upload(registry, Buffer.from("layer"), "another");
  const { status, error, body } = await ask(registry, "PUT", "/v2/app/manifests/v1", {
    body: manifestOf(config, layer),
    headers: { "content-type": manifestType },
  });
  expect([status, error]).toEqual([400, "MANIFEST_BLOB_UNKNOWN"]);
  expect(body.toString()).toContain(layer);
});

test("an index is taken only with the manifests that it names", async () => {
  await using registry = await startRegistry();
  const digest = await pushManifest(registry);
  const index = (child: string) =>
    JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [{ digest: child }] });
  const put = (child: string) =>
    ask(registry, "PUT", "/v2/app/manifests/all", {
      body: index(child),
      headers: { "content-type": indexType },
    });
  expect((await put(unknown)).error).toBe("MANIFEST_BLOB_UNKNOWN");
  expect((await put(digest)).status).toBe(201);
});

test.for<[what: string, body: string, type: string, reference: string, error: string]>([
  ["is no JSON", "<html>", manifestType, "v1", "MANIFEST_INVALID"],
  ["is null", "null", manifestType, "v1", "MANIFEST_INVALID"],
  ["has another schema", '{"schemaVersion":1}', manifestType, "v1", "MANIFEST_INVALID"],
  [
    "contradicts its type",
    `{"schemaVersion":2,"mediaType":"x"}`,
    manifestType,
    "v1",
    "MANIFEST_INVALID",
  ],
  ["is too large", "x".repeat(4 * 1024 * 1024 + 1), manifestType, "v1", "MANIFEST_INVALID"],
  ["has a bad tag", '{"schemaVersion":2}', manifestType, "-v1", "TAG_INVALID"],
  ["has another digest", '{"schemaVersion":2}', manifestType, unknown, "DIGEST_INVALID"],
])("a manifest that %s is refused", async ([, body, type, reference, error]) => {
  await using registry = await startRegistry();
  const answer = await ask(registry, "PUT", `/v2/app/manifests/${reference}`, {
    body,
    headers: { "content-type": type },
  });
  expect(answer.error).toBe(error);
});

test("deleting a tag leaves the manifest; deleting the manifest takes its tags along", async () => {
  await using registry = await startRegistry();
  const digest = await pushManifest(registry, "v1");
  expect((await ask(registry, "DELETE", "/v2/app/manifests/v1")).status).toBe(202);
  expect((await ask(registry, "GET", "/v2/app/manifests/v1")).error).toBe("MANIFEST_UNKNOWN");
  expect((await ask(registry, "HEAD", `/v2/app/manifests/${digest}`)).status).toBe(200);

  await pushManifest(registry, "v1");
  expect((await ask(registry, "DELETE", `/v2/app/manifests/${digest}`)).status).toBe(202);
  expect((await ask(registry, "GET", "/v2/app/manifests/v1")).error).toBe("MANIFEST_UNKNOWN");
  expect((await ask(registry, "GET", `/v2/app/manifests/${digest}`)).error).toBe(
    "MANIFEST_UNKNOWN",
  );
});

test("a blob that is deleted is gone from its repository", async () => {
  await using registry = await startRegistry();
  const digest = await upload(registry, Buffer.from("x"));
  expect((await ask(registry, "DELETE", `/v2/app/blobs/${digest}`)).status).toBe(202);
  expect((await ask(registry, "GET", `/v2/app/blobs/${digest}`)).error).toBe("BLOB_UNKNOWN");
});

test("tags are listed in order, page by page", async () => {
  await using registry = await startRegistry();
  for (const tag of ["b", "c", "a"]) await pushManifest(registry, tag);
  const all = await ask(registry, "GET", "/v2/app/tags/list");
  expect(JSON.parse(all.body.toString())).toEqual({ name: "app", tags: ["a", "b", "c"] });
  expect(all.headers.link).toBeUndefined();

  const page = await ask(registry, "GET", "/v2/app/tags/list?n=2");
  expect(JSON.parse(page.body.toString())).toEqual({ name: "app", tags: ["a", "b"] });
  const next = /<([^>]+)>; rel="next"/.exec(String(page.headers.link))?.[1] ?? "";
  const rest = await ask(registry, "GET", next);
  expect(JSON.parse(rest.body.toString())).toEqual({ name: "app", tags: ["c"] });

  expect((await ask(registry, "GET", "/v2/none/tags/list")).error).toBe("NAME_UNKNOWN");
});

test("locations are absolute unless they are asked to be relative", async () => {
  await using absolute = await startRegistry();
  await using relative = await startRegistry({ relativeLocations: true });
  const post = (registry: Registry) => ask(registry, "POST", "/v2/app/blobs/uploads/");
  expect((await post(absolute)).headers.location).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v2\/app\//);
  expect((await post(relative)).headers.location).toMatch(/^\/v2\/app\/blobs\/uploads\//);
});

test("a login is demanded where one was given", async () => {
  await using registry = await startRegistry({ login: { username: "u", password: "p" } });
  const refused = await ask(registry, "GET", "/v2/");
  expect([refused.status, refused.error]).toEqual([401, "UNAUTHORIZED"]);
  expect(refused.headers["www-authenticate"]).toMatch(/^Basic /);
  const authorization = `Basic ${Buffer.from("u:p").toString("base64")}`;
  expect((await ask(registry, "GET", "/v2/", { headers: { authorization } })).status).toBe(200);
});

test.for(["/v2/UPPER/tags/list", "/v2/a..b/tags/list", "/v2/a%2e%2e/b/tags/list"])(
  "the repository name in %s is refused",
  async (path) => {
    await using registry = await startRegistry();
    expect((await ask(registry, "GET", path)).error).toBe("NAME_INVALID");
  },
);

test("methods that mean nothing are refused", async () => {
  await using registry = await startRegistry();
  const digest = await pushManifest(registry);
  const layer = await upload(registry, Buffer.from("layer"));
  for (const path of [`manifests/${digest}`, `blobs/${layer}`, "blobs/uploads/", "tags/list"]) {
    expect((await ask(registry, "OPTIONS", `/v2/app/${path}`)).error).toBe("UNSUPPORTED");
  }
});

test("clearing forgets all, uploads under way too, and takes new content", async () => {
  await using registry = await startRegistry();
  const digest = await pushManifest(registry);
  const path = await begin(registry);
  await registry.clear();
  expect((await ask(registry, "GET", `/v2/app/manifests/${digest}`)).status).toBe(404);
  expect((await ask(registry, "PATCH", path, { body: "x" })).error).toBe("BLOB_UPLOAD_UNKNOWN");
  expect(await pushManifest(registry)).toBe(digest);
});

test("disposing leaves no file, not even of an upload under way", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kpush-test-"));
  {
    await using registry = await startRegistry({ directory });
    await upload(registry, Buffer.from("x"));
    await begin(registry);
    expect(await readdir(directory)).toHaveLength(1);
  }
  await rmdir(directory); // fails unless it is empty
});
