import { describe, expect, test } from "vitest";
import type { ImageStore, LocalManifest } from "../../../src/engine/types.ts";
import { mismatch, platformsOf } from "../../../src/push/platform-check.ts";
import type { ReadySource } from "../../../src/push/request.ts";

test.for<[string, string[], string[]]>([
  ["linux/arm64 of the image", ["linux/amd64", "linux/arm64"], ["linux/arm64/v8"]],
  ["one of several platforms", ["linux/amd64"], ["linux/arm64", "linux/amd64"]],
  ["a 32 bit image", ["linux/arm64"], ["linux/arm/v7"]],
  ["no Linux node at all", ["windows/amd64"], ["linux/arm64"]],
])("nothing is said against %s", ([, nodes, platforms]) => {
  expect(mismatch(nodes, platforms)).toBeUndefined();
});

test.for<[string[], string[], string, string]>([
  [["linux/amd64"], ["linux/arm64/v8"], "linux/amd64, this image is linux/arm64", "linux/amd64"],
  [
    ["linux/amd64", "linux/arm64"],
    ["linux/s390x", "linux/ppc64le"],
    "linux/amd64 and linux/arm64, this image is linux/ppc64le and linux/s390x",
    "linux/amd64",
  ],
  [
    ["linux/arm64", "linux/s390x", "windows/amd64"],
    ["linux/386"],
    "linux/arm64, linux/s390x and windows/amd64, this image is linux/386",
    "linux/arm64",
  ],
  [
    ["darwin/arm64", "linux/arm64"],
    ["linux/amd64"],
    "darwin/arm64 and linux/arm64, this image is linux/amd64",
    "linux/arm64",
  ],
])("on %j an image for %j would not run", ([nodes, platforms, said, wanted]) => {
  expect(mismatch(nodes, platforms)).toMatchObject({
    code: "PLATFORM_MISMATCH",
    exitCode: 3,
    message: `the nodes are ${said}`,
    hint: `build it with --platform ${wanted}, or send it all the same with --force`,
  });
});

describe("an engine's image is of", () => {
  const manifest = (platform: string, more: Partial<LocalManifest> = {}): LocalManifest => ({
    ...{ digest: `sha256:${"a".repeat(64)}`, mediaType: "", platform, available: true },
    ...{ kind: "image", ...more },
  });
  const source = (store: ImageStore, platform: string, manifests: LocalManifest[]) =>
    ({ kind: "engine", engine: { store }, local: { platform, manifests } }) as ReadySource;
  const both = [manifest("linux/arm64"), manifest("linux/amd64")];
  const absent = manifest("linux/amd64", { available: false });
  const attestation = manifest("", { kind: "attestation" });

  test.for<[string, string[], ReadySource, string?]>([
    ["its one platform", ["linux/arm64"], source("graph", "linux/arm64", [])],
    ["no platform that it does not tell", [], source("podman", "", [])],
    [
      "all that are there",
      ["linux/arm64", "linux/amd64"],
      source("containerd", "linux/arm64", both),
    ],
    [
      "the one that is chosen",
      ["linux/arm64"],
      source("containerd", "linux/arm64", both),
      "linux/arm64",
    ],
    [
      "none that was not pulled",
      ["linux/arm64"],
      source("containerd", "linux/arm64", [manifest("linux/arm64"), absent, attestation]),
    ],
    [
      "its own, of a manifest that has none",
      ["linux/arm64"],
      source("containerd", "linux/arm64", [manifest("")]),
    ],
    [
      "none, where one of several is not told",
      [],
      source("containerd", "linux/arm64", [manifest("linux/arm64"), manifest("")]),
    ],
    ["none, where the store tells of no manifests", [], source("containerd", "linux/arm64", [])],
  ])("%s", async ([, platforms, image, chosen]) => {
    expect(await platformsOf(image, chosen)).toEqual(platforms);
  });
});
