import { describe, expect, test } from "vitest";
import type { LocalImage, LocalManifest } from "../../../src/engine/types.ts";
import type { Work } from "../../../src/push/estimate.ts";
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
      "containerd store: where the registry has what kpush made of it",
      true,
      {
        store: "containerd",
        local: local(amd64.digest, [amd64]),
        pushed: digest("9"),
        remote: { digest: digest("9"), configDigest: config },
      },
    ],
    [
      "containerd store: not where another push came after kpush's",
      false,
      {
        store: "containerd",
        local: local(amd64.digest, [amd64]),
        pushed: digest("9"),
        remote: { digest: digest("8"), configDigest: config },
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

const large: Work = {
  store: "graph",
  bytes: 400e6,
  layers: 10,
  missing: 10,
  missingForEngine: 10,
  compressed: false,
  roundTrip: 2,
  cores: 2,
};

describe("where the engine could push as well", () => {
  test.for<[string, string, Partial<Work>]>([
    ["overlay2, all of 400 MB", "direct", {}],
    ["overlay2, all of 5 MB", "daemon", { bytes: 5e6 }],
    ["overlay2, one new layer of ten", "daemon", { missing: 1, missingForEngine: 1 }],
    ["overlay2, one new layer on those that kpush packed", "direct", { missing: 1 }],
    ["overlay2, far, where the link is the bottleneck of both", "daemon", { roundTrip: 80 }],
    ["a containerd store, all of 400 MB plain, near", "daemon", { store: "containerd" }],
    ["the same on machines that are busy", "daemon", { store: "containerd", roundTrip: 12 }],
    ["a containerd store, plain, far", "direct", { store: "containerd", roundTrip: 40 }],
    [
      "a containerd store, compressed, far",
      "daemon",
      { store: "containerd", compressed: true, roundTrip: 40 },
    ],
    [
      "a containerd store, far, one new layer",
      "daemon",
      { store: "containerd", roundTrip: 40, missing: 1, missingForEngine: 1 },
    ],
  ])("%s: the %s route", ([, route, work]) => {
    const chosen = plan(facts({ work: { ...large, ...work }, store: work.store ?? large.store }));
    expect(chosen.route).toBe(route);
    expect(chosen.reason).toMatch(/\d\.\d s/);
  });

  test("what the user asks for goes first", () => {
    expect(plan(facts({ work: large, route: "daemon" })).route).toBe("daemon");
  });
});
