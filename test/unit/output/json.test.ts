import { describe, expect, test } from "vitest";
import { KpushError } from "../../../src/errors.ts";
import { Interrupted } from "../../../src/output/interrupted.ts";
import { openJson } from "../../../src/output/json.ts";
import { engine, pushed, registry } from "./events.ts";

test("a push is told with where it went, and in full", () => {
  const json = openJson();
  for (const event of [registry, engine]) json.take(event);
  const image = pushed({ milliseconds: 3100.4 });
  expect(json.document({ images: [image] })).toEqual({
    version: 1,
    ok: true,
    images: [
      {
        image: "myapp:dev",
        pullRef: image.pullRef,
        digest: image.digest,
        tags: ["dev"],
        route: "daemon",
        layersSent: 2,
        layersTotal: 9,
        sentBytes: 14_200_000,
        totalBytes: 312_000_000,
        milliseconds: 3100,
      },
    ],
    registry: {
      context: "prod-eu",
      namespace: "kpush-system",
      pod: "kpush-registry-7d9fc",
      pullAddress: "localhost:5000",
    },
    engine: "Docker 28.5.2 at unix:///run/d.sock",
    warnings: [],
  });
});

test("one failed image does not hide the others", () => {
  const error = new KpushError("IMAGE_NOT_FOUND", "there is none", { hint: "docker images" });
  const document = openJson().document({ images: [pushed(), { image: "no:v1", error }] });
  expect(document.ok).toBe(false);
  expect(document.images).toEqual([
    expect.objectContaining({ image: "myapp:dev", route: "daemon" }),
    {
      image: "no:v1",
      error: { code: "IMAGE_NOT_FOUND", message: "there is none", hint: "docker images" },
    },
  ]);
  expect(document.error).toBeUndefined();
});

test("what keeps all images from being pushed is the document's error", () => {
  const json = openJson();
  json.take(registry);
  expect(json.document({ error: new KpushError("REGISTRY_FULL", "no space left") })).toMatchObject({
    ok: false,
    images: [],
    registry: { context: "prod-eu" },
    error: { code: "REGISTRY_FULL", message: "no space left" },
  });
});

test.for([
  [new TypeError("oops"), { code: "UNEXPECTED", message: "oops" }],
  ["oops", { code: "UNEXPECTED", message: "oops" }],
  [new Interrupted("SIGINT", 2), { code: "INTERRUPTED", message: "interrupted by SIGINT" }],
] as const)("%o has a code too", ([error, expected]) => {
  expect(openJson().document({ error }).error).toEqual(expected);
});

test("warnings and new starts are kept", () => {
  const json = openJson();
  json.take({ type: "warning", message: "a tag moved", hint: "use the digest" });
  json.take({ type: "restart", image: "a:v1", reason: "the pod is gone" });
  expect(json.document({ images: [] }).warnings).toEqual([
    { message: "a tag moved", hint: "use the digest" },
    { message: "a:v1 starts over: the pod is gone" },
  ]);
});

test("several contexts have a registry each, in the order of the images", () => {
  const json = openJson();
  const staging = { ...registry, context: "staging", pod: "a" };
  for (const event of [registry, staging, { ...registry, pod: "b" }]) json.take(event);
  json.take({ type: "warning", message: "a tag moved", context: "staging" });
  json.take({ type: "restart", image: "a:v1", reason: "the pod is gone", context: "prod-eu" });
  const images = [pushed({ context: "staging" }), { image: "b", context: "prod-eu", error: "no" }];
  expect(json.document({ images })).toMatchObject({
    images: [{ context: "staging" }, { context: "prod-eu" }],
    registries: [
      { context: "staging", pod: "a" },
      { context: "prod-eu", pod: "b" },
    ],
    warnings: [{ context: "staging" }, { context: "prod-eu" }],
  });
  expect(json.document({ error: "no" })).not.toHaveProperty("registry");
});

describe("other commands", () => {
  const uninstall = { context: "prod-eu", namespace: "kpush-system", objects: [] };

  test("have a result of their name, and no images", () => {
    const json = openJson();
    json.take({ type: "warning", message: "no node is ready" });
    expect(json.document({ document: { uninstall } })).toEqual({
      version: 1,
      ok: true,
      uninstall,
      warnings: [{ message: "no node is ready" }],
    });
  });

  test("name the registry pod that they reached", () => {
    const json = openJson();
    json.take(registry);
    expect(json.document({ document: { uninstall } })).toMatchObject({
      registry: { pod: "kpush-registry-7d9fc" },
    });
  });

  test("can do their work and still have an error", () => {
    const error = new KpushError("NOT_HEALTHY", "the registry is not healthy");
    expect(openJson().document({ document: { uninstall }, error })).toEqual({
      version: 1,
      ok: false,
      uninstall,
      warnings: [],
      error: { code: "NOT_HEALTHY", message: "the registry is not healthy" },
    });
  });
});

test("an error has the way to what is known of it, a bug what to report", () => {
  const help = { docs: "file:///kpush/docs/", report: (error: unknown) => `of ${String(error)}` };
  const json = openJson(help);
  const failed = { image: "no:v1", error: new KpushError("IMAGE_NOT_FOUND", "there is none") };
  expect(json.document({ images: [failed] }).images).toEqual([
    {
      image: "no:v1",
      error: {
        ...{ code: "IMAGE_NOT_FOUND", message: "there is none" },
        help: "file:///kpush/docs/errors.md#image_not_found",
      },
    },
  ]);
  expect(json.document({ error: new TypeError("what?") }).error).toEqual({
    ...{ code: "UNEXPECTED", message: "what?", help: "file:///kpush/docs/errors.md#unexpected" },
    report: "of TypeError: what?",
  });
  expect(json.document({ error: new Interrupted("SIGINT", 2) }).error).toEqual({
    ...{ code: "INTERRUPTED", message: "interrupted by SIGINT" },
    help: "file:///kpush/docs/errors.md#interrupted",
  });
});
