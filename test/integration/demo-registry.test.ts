import { mkdtemp, readdir, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startRegistry, type Registry } from "../../src/demo/registry.ts";
import { digestOf } from "../../src/image/digest.ts";
import {
  ask,
  begin,
  indexType,
  manifestOf,
  manifestType,
  pushManifest,
  unknown,
  upload,
} from "./demo-registry-client.ts";

test("the base answers, and says which API it is", async () => {
  await using registry = await startRegistry();
  const { status, headers } = await ask(registry, "GET", "/v2/");
  expect(status).toBe(200);
  expect(headers["docker-distribution-api-version"]).toBe("registry/2.0");
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
