import { expect, test } from "vitest";
import { matchesPlatform, requirePlatform, runsOn } from "../../../src/image/platform.ts";

test.for([
  ["linux/amd64", "linux/amd64", true],
  ["linux/x86_64", "linux/amd64", true],
  ["amd64", "linux/amd64", true],
  ["linux/arm64", "linux/arm64/v8", true],
  ["linux/arm64/v8", "linux/arm64", true],
  ["linux/arm/v6", "linux/arm/v7", false],
  ["linux/arm/v7", "linux/arm", true],
  ["linux/arm64", "linux/amd64", false],
  ["windows/amd64", "linux/amd64", false],
] as const)("%s asks for %s: %s", ([wanted, have, matches]) => {
  expect(matchesPlatform(wanted, have)).toBe(matches);
});

test.for([
  ["linux/amd64", "linux/amd64", true],
  ["linux/amd64", "linux/amd64/v3", true],
  ["linux/amd64", "linux/x86_64", true],
  ["linux/amd64", "linux/386", true],
  ["linux/386", "linux/amd64", false],
  ["linux/arm64", "linux/arm64/v8", true],
  ["linux/arm64", "linux/arm/v6", true],
  ["linux/arm", "linux/arm/v6", true],
  ["linux/arm", "linux/arm/v7", true],
  ["linux/arm", "linux/arm64", false],
  ["linux/amd64", "linux/arm64", false],
  ["linux/arm64", "linux/amd64", false],
  ["linux/s390x", "linux/s390x", true],
  ["linux/s390x", "linux/ppc64le", false],
  ["windows/amd64", "linux/amd64", false],
  ["linux/amd64", "windows/386", false],
] as const)("a node that is %s runs an image for %s: %s", ([node, image, runs]) => {
  expect(runsOn(node, image)).toBe(runs);
});

test.for(["", "linux/", "linux/amd64/v1/x", "linux amd64"])("%j is no platform", (platform) => {
  expect(() => matchesPlatform(platform, "linux/amd64")).toThrow(
    expect.objectContaining({ code: "USAGE" }),
  );
});

test("a Windows image is refused, and a missing platform names what is there", () => {
  expect(() => requirePlatform(undefined, "windows/amd64", "a.tar")).toThrow(
    expect.objectContaining({ code: "IMAGE_UNSUPPORTED" }),
  );
  expect(() => requirePlatform("linux/arm64", "linux/amd64", "a.tar")).toThrow(
    expect.objectContaining({ code: "PLATFORM_NOT_FOUND", hint: "try --platform linux/amd64" }),
  );
});
