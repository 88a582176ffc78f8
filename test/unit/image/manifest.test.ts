import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestOf, isDigest } from "../../../src/image/digest.ts";
import {
  isAttestation,
  mediaTypes,
  parseManifest,
  platformOf,
} from "../../../src/image/manifest.ts";

const digest = digestOf(Buffer.from("x"));
const one = { mediaType: "a/b", digest, size: 1 };

function parse(document: unknown, mediaType?: string) {
  return parseManifest(Buffer.from(JSON.stringify(document)), mediaType, "the manifest");
}

describe("a manifest", () => {
  test("gives its config and layers, and the type that it or its carrier names", () => {
    const document = { schemaVersion: 2, config: one, layers: [{ ...one, urls: ["https://x"] }] };
    expect(parse(document, mediaTypes.dockerManifest)).toMatchObject({
      kind: "manifest",
      mediaType: mediaTypes.dockerManifest,
      config: { digest, foreign: false },
      layers: [{ digest, foreign: true }],
    });
    expect(parse({ ...document, mediaType: mediaTypes.ociManifest }, "x/y").mediaType).toBe(
      mediaTypes.ociManifest,
    );
  });

  test("that is an index gives its platforms and attestations", () => {
    const index = parse({
      schemaVersion: 2,
      manifests: [
        { ...one, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
        { ...one, annotations: { "vnd.docker.reference.type": "attestation-manifest", other: 1 } },
        { ...one, platform: { os: "unknown", architecture: "unknown" } },
      ],
    });
    expect(
      index.kind === "index" && index.manifests.map((each) => [each.platform, isAttestation(each)]),
    ).toEqual([
      ["linux/arm64/v8", false],
      [undefined, true],
      ["unknown/unknown", true],
    ]);
  });

  test.for([
    ["is of schema 1", { schemaVersion: 1, config: one }],
    ["has no config", { schemaVersion: 2, layers: [] }],
    ["has no list of layers", { schemaVersion: 2, config: one, layers: {} }],
    ["names no digest", { schemaVersion: 2, config: { ...one, digest: "sha256:x" } }],
    ["has a digest that is a path", { schemaVersion: 2, config: { ...one, digest: "../x" } }],
    ["has a negative size", { schemaVersion: 2, config: { ...one, size: -1 } }],
    ["has half a byte", { schemaVersion: 2, config: { ...one, size: 0.5 } }],
    ["has no media type", { schemaVersion: 2, config: { digest, size: 1 } }],
    ["is a list", []],
    ["is null", null],
  ] as const)("that %s is refused", ([, document]) => {
    expect(() => parse(document)).toThrow(expect.objectContaining({ code: "ARCHIVE_INVALID" }));
  });

  test("that is any JSON is read or refused in plain words", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          expect(parseManifest(Buffer.from(text), undefined, "x").kind).toMatch(/manifest|index/);
        } catch (error) {
          expect(error).toMatchObject({ code: "ARCHIVE_INVALID" });
        }
      }),
    );
  });
});

test("a digest is SHA-256 or SHA-512 in lower-case hex, and nothing else", () => {
  expect(digestOf(Buffer.from("")).slice(0, 15)).toBe("sha256:e3b0c442");
  const long = digestOf(Buffer.from(""), `sha512:${"0".repeat(128)}`);
  expect([digest, long].every(isDigest)).toBe(true);
  const none = [
    digest.toUpperCase(),
    `${digest}0`,
    `${digest}\n`,
    ` ${digest}`,
    digest.slice(7),
    `md5:${"0".repeat(32)}`,
    1,
  ];
  expect(none.some(isDigest)).toBe(false);
});

test("a platform needs an operating system and an architecture", () => {
  expect(platformOf({ os: "linux", architecture: "amd64", variant: "" })).toBe("linux/amd64");
  expect(platformOf({ os: "linux" })).toBeUndefined();
  expect(platformOf({ os: "", architecture: "" })).toBeUndefined();
});
