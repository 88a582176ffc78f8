import { describe, expect, test } from "vitest";
import type { LocalImage, LocalManifest } from "../../../src/engine/types.ts";
import { isUnchanged, plan, type PlanFacts } from "../../../src/push/plan.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const config = digest("c");
const index = digest("1");
const amd64: LocalManifest = {
  digest: digest("a"),
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  platform: "linux/amd64",
  available: true,
  kind: "image",
};
const attestation: LocalManifest = {
  ...amd64,
  digest: digest("b"),
  platform: "unknown/unknown",
  kind: "attestation",
};
const arm64: LocalManifest = {
  ...amd64,
  digest: digest("d"),
  platform: "linux/arm64",
  available: false,
};

function local(id: string, manifests: LocalManifest[] = [], names = ["app:v1"]): LocalImage {
  return { id, names, platform: "linux/amd64", size: 1, diffIds: [digest("f")], manifests };
}
function facts(more: Partial<PlanFacts>): PlanFacts {
  return {
    local: local(config),
    store: "graph",
    remote: undefined,
    route: "auto",
    platform: undefined,
    ...more,
  };
}

describe("an image is unchanged", () => {
  test.for<[string, boolean, Partial<PlanFacts>]>([
    ["where the registry has nothing", false, {}],
    [
      "graph store: where its id is the config's digest",
      true,
      { remote: { digest: index, configDigest: config } },
    ],
    [
      "graph store: where the config differs, whatever the layers",
      false,
      { remote: { digest: index, configDigest: digest("e") } },
    ],
    [
      "graph store: never by the top digest",
      false,
      { remote: { digest: config, configDigest: undefined } },
    ],
    [
      "podman: where its id is the config's digest",
      true,
      { store: "podman", remote: { digest: index, configDigest: config } },
    ],
    [
      "containerd store: where its id is the top digest",
      true,
      {
        store: "containerd",
        local: local(index, [amd64, attestation]),
        remote: { digest: index, configDigest: undefined },
      },
    ],
    [
      "containerd store: where the index is not complete and the registry has the manifest that is there",
      true,
      {
        store: "containerd",
        local: local(index, [amd64, arm64]),
        remote: { digest: amd64.digest, configDigest: config },
      },
    ],
    [
      "containerd store: not where the index is complete and the registry has one manifest of it",
      false,
      {
        store: "containerd",
        local: local(index, [amd64, attestation]),
        remote: { digest: amd64.digest, configDigest: config },
      },
    ],
    [
      "containerd store: not by a manifest that is not there",
      false,
      {
        store: "containerd",
        local: local(index, [amd64, arm64]),
        remote: { digest: arm64.digest, configDigest: config },
      },
    ],
    [
      "containerd store: not by an attestation",
      false,
      {
        store: "containerd",
        local: local(index, [amd64, attestation, arm64]),
        remote: { digest: attestation.digest, configDigest: config },
      },
    ],
    [
      "with --platform, where the registry has that platform's manifest",
      true,
      {
        store: "containerd",
        local: local(index, [amd64, attestation]),
        platform: "linux/amd64",
        remote: { digest: amd64.digest, configDigest: config },
      },
    ],
    [
      "with --platform, not where the registry has the whole index",
      false,
      {
        store: "containerd",
        local: local(index, [amd64, attestation]),
        platform: "linux/amd64",
        remote: { digest: index, configDigest: undefined },
      },
    ],
    [
      "archive: where its config is the remote one",
      true,
      {
        local: undefined,
        store: undefined,
        archive: { configDigest: config, digest: undefined },
        remote: { digest: index, configDigest: config },
      },
    ],
    [
      "archive: not where its config is not known",
      false,
      {
        local: undefined,
        store: undefined,
        archive: { configDigest: undefined, digest: amd64.digest },
        remote: { digest: index, configDigest: undefined },
      },
    ],
  ])("%s: %s", ([, unchanged, more]) => {
    expect(isUnchanged(facts(more))).toBe(unchanged);
    expect(plan(facts(more)).route === "none").toBe(unchanged);
  });
});

test.for<[string, string, Partial<PlanFacts>]>([
  ["an image with a name", "daemon", {}],
  ["an archive", "direct", { local: undefined, store: undefined }],
  ["an image that has no name to keep it", "direct", { local: local(config, [], []) }],
  [
    "an image without a name in Podman, which needs no tag",
    "daemon",
    { local: local(config, [], []), store: "podman" },
  ],
  ["--route direct", "direct", { route: "direct" }],
  ["--route daemon", "daemon", { route: "daemon" }],
])("%s takes the %s route", ([, route, more]) => {
  expect(plan(facts(more)).route).toBe(route);
});
