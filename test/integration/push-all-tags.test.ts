import { expect, test } from "vitest";
import { startWorld } from "../fakes/world.ts";

const image = (...names: string[]) => ({ names, layers: [names.join()] });

test("--all-tags pushes every tag of a name, and nothing else", async () => {
  await using world = await startWorld({
    images: [
      image("app:v2", "app:latest"),
      image("app:v10"),
      image("application:v1"),
      image("other/app:v1"),
    ],
  });
  const run = await world.kpush(["--all-tags", "app"]);
  expect(run.code).toBe(0);
  expect(run.stdout.split("\n").map((line) => line.replace(/@sha256:.*/, ""))).toEqual([
    "localhost:5000/app:latest",
    "localhost:5000/app:v10",
    "localhost:5000/app:v2",
    "",
  ]);
});

test("a name without any tag there is an image that is not found", async () => {
  await using world = await startWorld({ images: [image("app:v1"), image("web:v1")] });
  const run = await world.kpush(["-a", "app", "web", "none", "--json"]);
  const { images } = JSON.parse(run.stdout) as { images: unknown[] };
  expect(images).toMatchObject([
    { image: "app:v1", pullRef: expect.any(String) as string },
    { image: "web:v1", pullRef: expect.any(String) as string },
    { image: "none", error: { code: "IMAGE_NOT_FOUND" } },
  ]);
  expect(run.code).toBe(3);
});

test("an engine that is not there is told as ever", async () => {
  await using world = await startWorld();
  world.env["DOCKER_HOST"] = `unix://${world.home}/none.sock`;
  const run = await world.kpush(["-a", "app"]);
  expect(run).toMatchObject({ code: 3, stdout: "" });
  expect(run.stderr).toContain("none.sock");
});

test("nothing is pushed where the engine cannot list its images", async () => {
  await using world = await startWorld({
    // The fake does not read a bare name as app:latest, as engines do: it has it as a name of its own.
    images: [image("app:latest", "app"), image("app:v1")],
    fault: (request) =>
      request === "GET /images/json" ? { status: 500, body: '{"message":"broken"}' } : undefined,
  });
  const run = await world.kpush(["-a", "app"]);
  expect(run).toMatchObject({ code: 3, stdout: "" });
  expect(run.stderr).toContain("does not list its images");
});

test("a name that is given twice is pushed once", async () => {
  await using world = await startWorld({ images: [image("app:v1")] });
  const run = await world.kpush(["-a", "app", "app"]);
  expect(run.code).toBe(0);
  expect(run.stdout.match(/app:v1/g)).toHaveLength(1);
});
