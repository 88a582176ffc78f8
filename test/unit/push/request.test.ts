import { expect, test } from "vitest";
import type { Engine, LocalImage } from "../../../src/engine/types.ts";
import { claimTargets, parseRequests } from "../../../src/push/request.ts";
import type { Source } from "../../../src/push/sources.ts";

const engine = {} as Engine;
const local = (names: string[]): LocalImage => ({
  ...{
    id: `sha256:${"a".repeat(64)}`,
    names,
    platform: "linux/amd64",
    size: 1,
    diffIds: [],
    manifests: [],
  },
});
const source = (image: string, names = [image]): Source => ({
  ...{
    kind: "engine",
    engine,
    local: local(names),
    request: { kind: "image", image, reference: image },
  },
});

test.for<[string, string, string[], { name?: string; tags?: string[]; allTags?: boolean }]>([
  ["no image", "USAGE", [], {}],
  ["--name with two images", "USAGE", ["a", "b"], { name: "c" }],
  ["a bad --name", "BAD_REFERENCE", ["a"], { name: "A" }],
  ["a bad --tag", "BAD_REFERENCE", ["a"], { tags: ["-x"] }],
  ["an upper-case image", "BAD_REFERENCE", ["App"], {}],
  ["an empty image", "BAD_REFERENCE", [""], {}],
  ["standard input", "USAGE", ["-"], {}],
  ["--all-tags with a tag", "USAGE", ["a:v1"], { allTags: true }],
  ["--all-tags with a digest", "USAGE", [`a@sha256:${"a".repeat(64)}`], { allTags: true }],
  ["--all-tags with an archive", "USAGE", ["./a.tar"], { allTags: true }],
  ["--all-tags with --name", "USAGE", ["a"], { allTags: true, name: "b" }],
  ["--all-tags with --tag", "USAGE", ["a"], { allTags: true, tags: ["b"] }],
])("%s is refused with %s before anything is asked", ([, code, images, more]) => {
  expect(() => parseRequests({ images, ...more }, {})).toThrow(
    expect.objectContaining({ code }) as Error,
  );
});

test("two images that would get one name are refused", () => {
  const sources = [source("docker.io/library/app:v1"), source("app:v1")];
  expect(() => claimTargets(sources, { images: [] }, "localhost:5000")).toThrow(
    expect.objectContaining({ code: "SAME_TARGET" }) as Error,
  );
});

test("an image keeps its tag first, and each further tag once", () => {
  const [claim] = claimTargets(
    [source("app:v1")],
    { images: [], tags: ["stable", "v1"] },
    "localhost:5000",
  );
  expect(claim?.kind === "placed" && claim.target).toEqual({
    repository: "app",
    tags: ["v1", "stable"],
    pullAddress: "localhost:5000",
  });
});

test("an image without a name fails alone", () => {
  const id = `sha256:${"a".repeat(64)}`;
  const claims = claimTargets([source(id, []), source("app")], { images: [] }, "localhost:5000");
  expect(claims[0]).toMatchObject({ kind: "refused", error: { code: "NAME_NEEDED" } });
  expect(claims[1]).toMatchObject({ kind: "placed", target: { repository: "app" } });
});
