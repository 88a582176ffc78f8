import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeDemoImage } from "../../src/demo/demo-image.ts";
import { startWorld } from "../fakes/world.ts";

const app = { names: ["app:v1"], layers: ["one", "two"] };
const pullRef = (name: string) => new RegExp(`^localhost:5000/${name}@sha256:[0-9a-f]{64}\\n$`);

describe.each(["graph", "containerd", "podman"] as const)("from a %s engine", (kind) => {
  test("an image is pushed by the engine, verified, and unchanged the next time", async () => {
    await using world = await startWorld({ kind, images: [app] });
    const first = await world.kpush(["app:v1"]);
    expect(first.stdout).toMatch(pullRef("app:v1"));
    expect(first.code).toBe(0);
    expect(first.stderr).toContain("kpush-system/kpush-registry-1 in context test");
    const asked = world.engine.requests.length;
    const sent = world.registry.requests.length;
    const second = await world.kpush(["app:v1"]);
    expect(second).toMatchObject({ code: 0, stdout: first.stdout });
    expect(second.stderr).toContain("unchanged");
    expect(world.engine.requests.slice(asked)).toHaveLength(1);
    expect(world.registry.requests.slice(sent)).toEqual(["GET /v2/app/manifests/v1"]);
  });

  test("an engine that cannot reach the port is no hindrance", async () => {
    await using world = await startWorld({ kind, images: [app], reachesHost: false });
    const run = await world.kpush(["-v", "app:v1"]);
    expect(run.stderr).toContain("direct");
    expect(run).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(pullRef("app:v1")) as string,
    });
  });

  test("no temporary tag stays behind", async () => {
    await using world = await startWorld({ kind, images: [app] });
    await world.kpush(["app:v1"]);
    expect(world.engine.images.flatMap((image) => image.names)).toEqual(["app:v1"]);
  });
});

test("an image without a name of its own takes the direct route, and needs --name", async () => {
  await using world = await startWorld({ images: [{ names: [], layers: ["one"] }] });
  const id = world.engine.images[0] ? world.engine.idOf(world.engine.images[0]) : "";
  expect(await world.kpush([id])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("--name") as string,
  });
  expect(await world.kpush([id, "--name", "app:v2"])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(pullRef("app:v2")) as string,
  });
});

test("further tags name the same digest, also when nothing had to be sent", async () => {
  await using world = await startWorld({ images: [app] });
  await world.kpush(["app:v1"]);
  const run = await world.kpush(["app:v1", "--tag", "stable", "--tag", "latest", "--json"]);
  expect(JSON.parse(run.stdout)).toMatchObject({
    ok: true,
    images: [{ tags: ["v1", "stable", "latest"], route: "none" }],
  });
  const tags = await fetch(`${world.registry.url}/v2/app/tags/list`);
  expect(await tags.json()).toMatchObject({ tags: ["latest", "stable", "v1"] });
});

test("all images are tried; those that succeeded are printed, and the first failure is the exit code", async () => {
  await using world = await startWorld({ images: [app, { names: ["web:v1"], layers: ["three"] }] });
  const run = await world.kpush(["app:v1", "nowhere:v1", "web:v1"]);
  expect(run.code).toBe(3);
  expect(
    run.stdout
      .trim()
      .split("\n")
      .map((line) => line.split("@")[0]),
  ).toEqual(["localhost:5000/app:v1", "localhost:5000/web:v1"]);
  expect(run.stderr).toContain("nowhere:v1");
});

test("an archive is pushed without asking any engine, and is unchanged the next time", async () => {
  await using world = await startWorld();
  world.env["DOCKER_HOST"] = "unix:///nowhere.sock";
  await writeDemoImage({ path: join(world.home, "app.tar"), name: "app:v1" });
  const run = await world.kpush(["app.tar"]);
  expect(run).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(pullRef("app:v1")) as string,
  });
  expect(await world.kpush(["./app.tar"])).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("unchanged") as string,
  });
  expect(world.engine.requests).toEqual([]);
});

test("a tag that another push moved meanwhile is a warning", async () => {
  await using world = await startWorld({ images: [app, { names: ["app:v2"], layers: ["other"] }] });
  await world.kpush(["app:v2"]);
  const other = await fetch(`${world.registry.url}/v2/app/manifests/v2`);
  const body = Buffer.from(await other.arrayBuffer());
  const type = other.headers.get("content-type") ?? "";
  let moved = false;
  world.registry.onRequest = (request) => {
    if (moved || request.method !== "HEAD" || !request.url?.endsWith("/manifests/v1")) return false;
    moved = true;
    const { url } = request;
    void fetch(`${world.registry.url}${url}`, {
      method: "PUT",
      headers: { "content-type": type },
      body,
    }).then(() => {
      request.socket.destroy(); // the client asks again, and finds the other push's digest
    });
    return true;
  };
  const run = await world.kpush(["app:v1"]);
  expect(run.stderr).toContain("another push moved the tag");
  expect(run.code).toBe(0);
});

test.for([
  ["leaves out a layer", "blob unknown to registry", "left out a layer"],
  // zot without `compat`, of which kpush's own uploads are told by the tests of the direct route
  ["has a manifest that the registry refuses", "manifest invalid: manifest invalid", "refuses"],
])("where the engine %s, kpush uploads the image itself", async ([, message, told]) => {
  const body = `${JSON.stringify({ errorDetail: { message }, error: message })}\n`;
  await using world = await startWorld({
    images: [app],
    fault: (request) => (request.includes("/push?") ? { body } : undefined),
  });
  const run = await world.kpush(["app:v1"]);
  expect(run.stderr).toContain(told);
  expect(run).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(pullRef("app:v1")) as string,
  });
});

test("what a registry does not serve after the push was not pushed", async () => {
  await using world = await startWorld({ images: [app] });
  world.registry.onRequest = (request, response) => {
    if (request.method !== "HEAD" || !request.url?.includes("/manifests/")) return false;
    response.writeHead(404).end();
    return true;
  };
  expect(await world.kpush(["app:v1", "--json"])).toMatchObject({
    code: 5,
    stdout: expect.stringContaining("VERIFY_FAILED") as string,
  });
});

test("--timeout bounds the whole push", async () => {
  await using world = await startWorld({
    images: [app],
    fault: (request) => (request.includes("/push?") ? "hang" : undefined),
  });
  expect(await world.kpush(["app:v1", "--timeout", "500ms"])).toMatchObject({
    code: 5,
    stderr: expect.stringContaining("--timeout") as string,
  });
  expect(world.engine.images.flatMap((image) => image.names)).toEqual(["app:v1"]);
});

test("a kubeconfig that is not there fails before the engine pushes", async () => {
  await using world = await startWorld({ images: [app] });
  await writeFile(world.kubeconfig, "");
  const run = await world.kpush(["app:v1"]);
  expect(run.code).toBe(4);
  expect(world.engine.requests.filter((request) => request.includes("/push"))).toEqual([]);
});

test("an engine that reached the port before, and no longer does, is no hindrance either", async () => {
  const refused = "dial tcp 127.0.0.1: connect: connection refused";
  await using after = await startWorld({
    images: [app],
    fault: (request) =>
      request.includes("/push?")
        ? { body: `${JSON.stringify({ errorDetail: { message: refused }, error: refused })}\n` }
        : undefined,
  });
  const engines = join(after.home, ".local", "state", "kpush", "engines");
  await mkdir(engines, { recursive: true });
  const key = createHash("sha256").update(after.engine.host).digest("hex").slice(0, 32);
  await writeFile(join(engines, key), after.engine.host);
  const run = await after.kpush(["app:v1"]);
  expect(run.stderr).toContain("cannot reach a port of this machine");
  expect(run).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(pullRef("app:v1")) as string,
  });
});
