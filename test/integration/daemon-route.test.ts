import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startRegistry, type Registry } from "../../src/demo/registry.ts";
import { openEngine } from "../../src/engine/client.ts";
import { resolveEndpoints } from "../../src/engine/endpoint.ts";
import { KpushError } from "../../src/errors.ts";
import type { KpushEvent } from "../../src/events.ts";
import { daemonRoute, engineReaches, saysTooLittle } from "../../src/push/daemon-route.ts";
import { openState } from "../../src/push/state.ts";
import { openListener } from "../../src/tunnel/listener.ts";
import { fakeEngine, type FakeEngine, type FakeEngineOptions } from "../fakes/engine.ts";

const app = { names: ["app:v1"], layers: ["one", "two"] };
const kinds = ["graph", "containerd", "podman"] as const;
const dockers = ["graph", "containerd"] as const;

let home: string;
let registry: Registry;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "kpush-home-"));
  registry = await startRegistry();
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

const surroundings = () => ({
  env: {},
  home,
  cwd: home,
  platform: "linux" as const,
  pluginStdin: "ignore" as const,
  pluginStderr: () => undefined,
});
const notes = () => openState(surroundings()).notes();

async function connect() {
  const socket = connectTcp(registry.port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** An engine with `app:v1`, a listener over the registry, and a push from the one to the other. */
async function route(options: FakeEngineOptions = {}) {
  const controller = new AbortController();
  const { signal } = controller;
  const fake = await fakeEngine({ images: [app], ...options });
  const { endpoints } = resolveEndpoints(
    { host: fake.host },
    { env: {}, home, platform: "linux", files: { exists: () => false, read: () => undefined } },
  );
  const [endpoint] = endpoints;
  if (!endpoint) throw new Error("no endpoint");
  const engine = openEngine(endpoint, { env: {}, platform: "linux" }, signal);
  const events: KpushEvent[] = [];
  const report = (event: KpushEvent) => void events.push(event);
  // Not ended by the signal: what stops the engine is then that its client left.
  const listener = await openListener({ connect, report, signal: new AbortController().signal });
  const push = async (over: { because?: KpushError; platform?: string } = {}) =>
    daemonRoute({
      image: "app:v1",
      local: await engine.inspect("app:v1", over.platform),
      target: { repository: "team/app", tags: ["v1"], pullAddress: "localhost:5000" },
      engine,
      listener,
      platform: over.platform,
      because: () => over.because,
      context: { surroundings: surroundings(), report, signal },
    });
  return {
    fake,
    engine,
    listener,
    controller,
    events,
    push,
    warnings: () => events.flatMap((event) => (event.type === "warning" ? [event] : [])),
    async [Symbol.asyncDispose]() {
      engine[Symbol.dispose]();
      await listener[Symbol.asyncDispose]();
      await fake[Symbol.asyncDispose]();
    },
  };
}

const namesIn = ({ images }: FakeEngine) => images.map(({ names }) => [...names]);

test.for(kinds)("%s: the engine pushes, and says what it pushed", async (kind) => {
  await using one = await route({ kind });
  const { digest } = await one.push();
  expect(digest).toBe(one.fake.images[0]?.manifest.digest);
  const served = await fetch(`${registry.url}/v2/team/app/manifests/v1`, { method: "HEAD" });
  expect(served.headers.get("docker-content-digest")).toBe(digest);
  const { username, password } = one.listener;
  expect(one.fake.logins).toEqual([expect.objectContaining({ username, password })]);
  expect(namesIn(one.fake)).toEqual([["app:v1"]]);
  expect(one.warnings()).toEqual([]);
});

test("the layers are reported as they go", async () => {
  await using one = await route();
  await one.push();
  const sent = one.events.flatMap((event) =>
    event.type === "layer" && event.state === "sent" ? [event] : [],
  );
  expect(sent.map(({ image, sentBytes, totalBytes }) => [image, sentBytes, totalBytes])).toEqual([
    ["app:v1", 3, 3],
    ["app:v1", 3, 3],
    ["app:v1", expect.any(Number), expect.any(Number)],
  ]);
});

test("Podman is given the address, and no tag", async () => {
  await using one = await route({ kind: "podman" });
  await one.push();
  const [id, port] = [one.fake.images[0]?.config.digest, one.listener.port];
  const target = encodeURIComponent(`127.0.0.1:${port}/team/app:v1`);
  expect(one.fake.requests.slice(1)).toEqual([
    `POST /images/${id}/push?destination=${target}&tlsVerify=false`,
  ]);
});

test.for(dockers)("%s: the tag is journaled before it is made, and both go", async (kind) => {
  let journaled: string[] = [];
  let tagged: string[][] = [];
  await using one = await route({
    kind,
    fault: (request) => {
      if (request.includes("/tag?"))
        journaled = readdirSync(join(home, ".local/state/kpush/notes"));
      if (request.includes("/push")) tagged = namesIn(one.fake);
      return undefined;
    },
  });
  await one.push();
  expect(journaled).toHaveLength(1);
  expect(tagged).toEqual([["app:v1", `127.0.0.1:${one.listener.port}/team/app:v1`]]);
  expect(await notes()).toEqual([]);
});

test("a tag that could not be made leaves no note", async () => {
  await using one = await route({
    fault: (request) => (request.includes("/tag?") ? { status: 500, body: "{}" } : undefined),
  });
  await expect(one.push()).rejects.toMatchObject({ code: "ENGINE_FAILED" });
  expect(await notes()).toEqual([]);
});

test.for(kinds)("%s: an interrupted push stops the engine and takes the tag away", async (kind) => {
  await using one = await route({ kind });
  registry.onRequest = (request) => {
    if (request.method !== "PUT") return false;
    one.controller.abort(new Error("interrupted"));
    return true;
  };
  await expect(one.push()).rejects.toThrow("interrupted");
  expect(namesIn(one.fake)).toEqual([["app:v1"]]);
  expect(await notes()).toEqual([]);
  await expect.poll(() => one.fake.interrupted).toBe(1);
});

test("an image that lost its other names during the push keeps the temporary one", async () => {
  await using one = await route({
    fault: (request) => {
      const [image] = one.fake.images;
      if (request.includes("/push")) image?.names.splice(image.names.indexOf("app:v1"), 1);
      return undefined;
    },
  });
  await one.push();
  const tag = `127.0.0.1:${one.listener.port}/team/app:v1`;
  expect(namesIn(one.fake)).toEqual([[tag]]);
  expect(one.warnings()).toMatchObject([
    { hint: expect.stringContaining(`docker rmi ${tag}`) as string },
  ]);
  expect(await notes()).toEqual([]);
});

test("a tag that cannot be removed is told, stays journaled, and does not fail the push", async () => {
  await using one = await route({
    fault: (request) => (request.startsWith("DELETE") ? { status: 500, body: "{}" } : undefined),
  });
  await one.push();
  expect(one.warnings()).toHaveLength(1);
  expect(await notes()).toHaveLength(1);
});

/** Leaves a tag and its note behind, as a killed kpush does. */
async function leaveTag(one: Awaited<ReturnType<typeof route>>, note: object, tag: string) {
  one.fake.images[0]?.names.push(tag);
  const { hostname } = await import("node:os");
  const { endpoint: engine } = one.engine;
  await openState(surroundings()).addNote({
    engine,
    tag,
    host: hostname(),
    owner: "dead",
    ...note,
  });
}

test("a dead run's tag is swept, also one of the very port that kpush has now", async () => {
  await using one = await route();
  await leaveTag(one, {}, "127.0.0.1:1/old:v1");
  await leaveTag(one, {}, `127.0.0.1:${one.listener.port}/old:v2`);
  await one.push();
  expect(namesIn(one.fake)).toEqual([["app:v1"]]);
  expect(await notes()).toEqual([]);
});

test("the tag of a run that still listens is left alone", async () => {
  await using other = await route();
  await using one = await route();
  const tag = `127.0.0.1:${other.listener.port}/theirs:v1`;
  await leaveTag(one, {}, tag);
  await one.push();
  expect(namesIn(one.fake)).toEqual([["app:v1", tag]]);
  expect(await notes()).toHaveLength(1);
});

test("another engine's tags, another machine's, and those never journaled are left alone", async () => {
  await using one = await route();
  one.fake.images[0]?.names.push("127.0.0.1:1/mine:v1");
  await leaveTag(one, { engine: "unix:///other.sock" }, "127.0.0.1:1/engine:v1");
  await leaveTag(one, { host: "elsewhere" }, "127.0.0.1:1/host:v1");
  await one.push();
  expect(namesIn(one.fake)[0]).toHaveLength(4);
  expect(await notes()).toHaveLength(2);
});

test.for([
  "app:v1",
  "127.0.0.1:1/../../containers/x:v1",
  "127.0.0.1:99999/x:v1",
  "localhost:1/x:v1",
  "127.0.0.1:1/x",
])("a note that names no temporary tag is not acted on: %s", async (tag) => {
  await using one = await route({ images: [{ ...app, names: ["app:v1", "other:v1"] }] });
  await leaveTag(one, {}, tag);
  await one.push();
  expect(one.fake.requests.filter((request) => request.startsWith("DELETE"))).toHaveLength(1);
});

test("several images at once do not take each other's tags for dead", async () => {
  await using one = await route();
  await Promise.all([one.push(), one.push()]);
  expect(one.warnings()).toEqual([]);
  expect(namesIn(one.fake)).toEqual([["app:v1"]]);
});

test("the tunnel's error is told before the engine's", async () => {
  await using one = await route();
  registry.onRequest = (request) => {
    request.socket.destroy();
    return true;
  };
  const because = new KpushError("POD_GONE", "the pod was deleted", { hint: "wait" });
  await expect(one.push({ because })).rejects.toMatchObject({
    code: "POD_GONE",
    message: expect.stringMatching(/^the pod was deleted; the engine could not push/) as string,
    hint: "wait",
  });
});

test("an engine's failure that hides the registry's words is known as such", async () => {
  await using one = await route();
  registry.onRequest = (request, response) => {
    if (request.method !== "PUT") return false;
    response.writeHead(500).end();
    return true;
  };
  const error: unknown = await one.push().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "PUSH_REJECTED" });
  expect(saysTooLittle(error)).toBe(true);
  expect(saysTooLittle(new KpushError("PUSH_REJECTED", "denied: not yours"))).toBe(false);
});

test("one platform of several is pushed where it alone is there, and that is told", async () => {
  const images = [{ ...app, missingPlatforms: ["linux/arm64"] }];
  await using one = await route({ kind: "containerd", images });
  const { digest } = await one.push();
  expect(digest).toBe(one.fake.images[0]?.manifest.digest);
  expect(one.warnings()).toMatchObject([
    { message: expect.stringContaining("linux/amd64") as string },
  ]);
});

test("where that platform was asked for, the engine is told, and nothing is warned of", async () => {
  const images = [{ ...app, missingPlatforms: ["linux/arm64"] }];
  await using one = await route({ kind: "containerd", images });
  await one.push({ platform: "amd64" });
  expect(one.warnings()).toEqual([]);
  const platform = encodeURIComponent('{"os":"linux","architecture":"amd64"}');
  expect(one.fake.requests).toContainEqual(expect.stringContaining(`platform=${platform}`));
});

test.for(kinds)("%s: whether the engine reaches the port is found out", async (kind) => {
  await using near = await route({ kind });
  await near.engine.inspect("app:v1");
  expect(await engineReaches(near.engine, near.listener)).toBe(true);
  await using far = await route({ kind, reachesHost: false });
  await far.engine.inspect("app:v1");
  expect(await engineReaches(far.engine, far.listener)).toBe(false);
});

test("an engine that fails or hangs when asked does not reach the port", async () => {
  await using one = await route({ fault: () => "reset" });
  expect(await engineReaches(one.engine, one.listener)).toBe(false);
});

test.skipIf(process.platform === "win32")("state is for the user's eyes only", async () => {
  const state = openState(surroundings());
  await state.addNote({});
  const directory = join(home, ".local", "state", "kpush", "notes");
  const [file = ""] = await readdir(directory);
  const modes = await Promise.all([directory, join(directory, file)].map((path) => stat(path)));
  expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o700, 0o600]);
});
