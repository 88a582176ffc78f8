import { expect, test } from "vitest";
import { readImageAnswer } from "../../../src/engine/image-answer.ts";

const id = `sha256:${"1".repeat(64)}`;
const manifest = `sha256:${"2".repeat(64)}`;
const read = (answer: object, podman = false) => readImageAnswer(JSON.stringify(answer), podman);

test("a graph store's image has its config's digest as id, and no manifests", () => {
  const answer = {
    Id: id,
    RepoTags: ["app:v1", "<none>:<none>"],
    RepoDigests: [`app@${manifest}`],
    Os: "linux",
    Architecture: "arm64",
    Variant: "v8",
    Size: 42,
    RootFS: { Type: "layers", Layers: [manifest] },
  };
  expect(read(answer)).toEqual({
    store: "graph",
    image: {
      id,
      names: ["app:v1"],
      platform: "linux/arm64/v8",
      size: 42,
      diffIds: [manifest],
      manifests: [],
    },
  });
});

test("a containerd store tells which manifests of an index are there", () => {
  const amd64 = { os: "linux", architecture: "amd64" };
  const unknown = { os: "unknown", architecture: "unknown" };
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const { store, image } = read({
    Id: id,
    Descriptor: { digest: id },
    Manifests: [
      {
        Available: true,
        Kind: "image",
        Descriptor: { digest: manifest, mediaType },
        ImageData: { Platform: amd64 },
      },
      {
        Available: false,
        Kind: "image",
        Descriptor: { digest: id, mediaType, platform: { ...amd64, architecture: "arm64" } },
        ImageData: null,
      },
      {
        Available: true,
        Kind: "attestation",
        Descriptor: { digest: id, mediaType, platform: unknown },
      },
      { Available: true, Kind: "image", Descriptor: { digest: "sha256:nonsense" } },
    ],
  });
  expect(store).toBe("containerd");
  expect(image.manifests).toEqual([
    { digest: manifest, mediaType, platform: "linux/amd64", available: true, kind: "image" },
    { digest: id, mediaType, platform: "linux/arm64", available: false, kind: "image" },
    { digest: id, mediaType, platform: "", available: true, kind: "attestation" },
  ]);
});

test("a containerd store before Docker 28 is known by its id being a repository digest", () => {
  expect(read({ Id: id, RepoDigests: [`app@${id}`] }).store).toBe("containerd");
});

test("Podman's ids lack the algorithm, and its ids may be repository digests of others", () => {
  const { store, image } = read({ Id: id.slice(7), RepoDigests: [`app@${id}`] }, true);
  expect(store).toBe("podman");
  expect(image.id).toBe(id);
});

test.for(["", "<html>", "null", "[]", "{}", '{"Id":"../../x"}', '{"Id":7}'])(
  "what is no image's description is refused: %s",
  (text) => {
    expect(() => readImageAnswer(text, false)).toThrow(
      expect.objectContaining({ code: "ENGINE_FAILED" }),
    );
  },
);

test("fields of another kind than expected count as missing", () => {
  const odd = {
    Id: id,
    RepoTags: "x",
    Size: "y",
    RootFS: { Layers: [1, "z"] },
    Manifests: null,
    Os: 5,
  };
  expect(read(odd).image).toEqual({
    id,
    names: [],
    platform: "",
    size: 0,
    diffIds: [],
    manifests: [],
  });
});
