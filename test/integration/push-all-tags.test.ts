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
