import { expect, test } from "vitest";
import { digestOf } from "../../src/image/digest.ts";
import { mediaTypes } from "../../src/image/manifest.ts";
import type { RegistryClient } from "../../src/registry/types.ts";
import { blobOf, clientOf } from "../fakes/registry-client.ts";
import { answers, startFaultyRegistry } from "../fakes/registry.ts";

/** A manifest of a config alone, which is in the registry already. */
async function uploadManifest(client: RegistryClient) {
  const config = blobOf(Buffer.from("{}"));
  await client.uploadBlob("app", config);
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: 2 },
      layers: [],
    }),
  );
  return { mediaType: mediaTypes.ociManifest, bytes, digest: digestOf(bytes) };
}

test("manifests are put under a tag, found by tag and digest, fetched whole and deleted", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const { digest, ...manifest } = await uploadManifest(client);

  expect(await client.headManifest("app", "v1")).toBeUndefined();
  expect(await client.putManifest("app", "v1", manifest)).toEqual({ digest });
  expect(await client.headManifest("app", "v1")).toEqual({
    digest,
    mediaType: manifest.mediaType,
  });
  expect(await client.getManifest("app", digest)).toEqual({ digest, ...manifest });
  await client.deleteManifest("app", digest);
  expect(await client.getManifest("app", "v1")).toBeUndefined();
});

test("manifests are fetched where a HEAD does not tell the digest", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const { digest, ...manifest } = await uploadManifest(client);
  await client.putManifest("app", "v1", manifest);
  faulty.fault(/^HEAD .*manifests/, answers(200));
  expect(await client.headManifest("app", "v1")).toMatchObject({ digest });
});

test("manifests with another content than their digest are refused", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const wanted = digestOf(Buffer.from("wanted"));
  faulty.fault(/^GET .*manifests/, answers(200, "{}"));
  await expect(client.getManifest("app", wanted)).rejects.toMatchObject({
    code: "VERIFY_FAILED",
  });
  faulty.fault(/^GET .*manifests/, answers(200, "{}", { "docker-content-digest": wanted }));
  await expect(client.getManifest("app", "v1")).rejects.toMatchObject({ code: "VERIFY_FAILED" });
});

test("manifests that the registry takes for others are refused", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const manifest = await uploadManifest(client);
  faulty.fault(
    /^PUT .*manifests/,
    answers(201, "", { "docker-content-digest": digestOf(Buffer.from("x")) }),
  );
  await expect(client.putManifest("app", "v1", manifest)).rejects.toMatchObject({
    code: "VERIFY_FAILED",
  });
});

test("manifests of more than 4 MiB are not read to their end", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  faulty.fault(/^GET .*manifests/, (_request, response) => {
    const more = (error?: Error | null) => {
      if (!error) response.write(Buffer.alloc(65_536), more);
    };
    response.writeHead(200);
    more();
  });
  await expect(client.getManifest("app", "v1")).rejects.toMatchObject({
    code: "REGISTRY_UNHEALTHY",
    message: expect.stringContaining("4194304 bytes") as string,
  });
});

test.for([
  ["../../etc", "v1"],
  ["App", "v1"],
  ["app", "v1/../x"],
  ["app", "sha256:12"],
  ["app?x", "v1"],
] as const)("%s:%s never enters a URL", async ([repository, reference]) => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  await expect(client.headManifest(repository, reference)).rejects.toMatchObject({
    code: "BAD_REFERENCE",
  });
  expect(faulty.registry.requests).toEqual([]);
});
test("manifests whose blobs the registry has lost are rejected in its words", async () => {
  await using faulty = await startFaultyRegistry();
  await using client = clientOf(faulty);
  const manifest = await uploadManifest(client);
  await faulty.registry.clear();
  await expect(client.putManifest("app", "v1", manifest)).rejects.toMatchObject({
    code: "PUSH_REJECTED",
    message: expect.stringContaining("blob unknown to registry") as string,
  });
});
