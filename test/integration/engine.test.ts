import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { findEngine, type FindSettings } from "../../src/engine/find.ts";
import type { KpushEvent } from "../../src/events.ts";
import { fakeEngine, type FakeEngineOptions, type Fault } from "../fakes/engine.ts";

const app = { names: ["app:v1"], layers: ["one", "two"] };
const kinds = ["graph", "containerd", "podman"] as const;

async function find(
  host: string,
  names: string[],
  options: { signal?: AbortSignal; timings?: FindSettings } = {},
) {
  const events: KpushEvent[] = [];
  const { signal = new AbortController().signal, timings = {} } = options;
  const surroundings = { env: {}, home: "/nonexistent", platform: process.platform };
  const report = (event: KpushEvent) => void events.push(event);
  const engine = await findEngine({ host }, names, surroundings, report, signal, timings);
  return Object.assign(engine, { events });
}

/** An engine of this kind that holds `app:v1`, and a client of it. */
async function open(options: FakeEngineOptions = {}, timings: FindSettings = {}) {
  const fake = await fakeEngine({ images: [app], ...options });
  const engine = await find(fake.host, ["app:v1"], { timings });
  return {
    fake,
    engine,
    async [Symbol.asyncDispose]() {
      engine[Symbol.dispose]();
      await fake[Symbol.asyncDispose]();
    },
  };
}

const failing = (pattern: RegExp, fault: Fault) => ({
  fault: (request: string) => (pattern.test(request) ? fault : undefined),
});

test.for([
  ["graph", "Docker 20.10.24"],
  ["containerd", "Docker 28.5.2"],
  ["podman", "Podman 4.3.1"],
] as const)("%s: one request finds the engine and describes the image", async ([kind, name]) => {
  await using opened = await open({ kind });
  const { fake, engine } = opened;
  const image = await engine.inspect("app:v1");
  expect(fake.requests).toEqual(["GET /images/app:v1/json?manifests=1"]);
  expect(engine.name).toBe(`${name} at ${fake.host}`);
  expect(engine.store).toBe(kind);
  const [held] = fake.images;
  expect(image).toMatchObject({
    id: held && fake.idOf(held),
    names: ["app:v1"],
    platform: "linux/amd64",
    diffIds: held?.layers.map(({ digest }) => digest),
  });
  expect(image.manifests).toHaveLength(kind === "containerd" ? 1 : 0);
});

test("a second inspect asks again", async () => {
  await using opened = await open();
  await opened.engine.inspect("app:v1");
  await opened.engine.inspect("app:v1");
  expect(opened.fake.requests).toHaveLength(2);
});

test.for(kinds)("%s: an image that is not there is told with what to do", async (kind) => {
  await using opened = await open({ kind });
  const tool = kind === "podman" ? "podman" : "docker";
  await expect(opened.engine.inspect("nope:1")).rejects.toMatchObject({
    code: "IMAGE_NOT_FOUND",
    message: expect.stringContaining("nope:1") as string,
    hint: expect.stringContaining(`${tool} build -t nope:1`) as string,
  });
});

test.for(["", "../containers", "a//b", "a/./b"])(
  "a name that would leave its place in the URL is refused: %j",
  async (name) => {
    await using opened = await open();
    await expect(opened.engine.inspect(name)).rejects.toMatchObject({ code: "BAD_REFERENCE" });
    expect(opened.fake.requests).toHaveLength(1);
  },
);

test("what a name has of URL syntax is encoded", async () => {
  await using opened = await open();
  await expect(opened.engine.inspect("a?b#c/d@e:f")).rejects.toMatchObject({
    code: "IMAGE_NOT_FOUND",
  });
  expect(opened.fake.requests.at(-1)).toBe("GET /images/a%3Fb%23c/d@e:f/json?manifests=1");
});

test.for<[string, string, Fault]>([
  ["ENGINE_FAILED", "a 500", { status: 500, body: '{"message":"disk on fire"}' }],
  ["ENGINE_FAILED", "a page of something else", { status: 200, body: "<html>" }],
  ["ENGINE_FAILED", "another server's 404", { status: 404, body: "404 page not found" }],
  [
    "PLATFORM_NOT_FOUND",
    "Podman's manifest list without this machine's platform",
    { status: 404, body: '{"message":"no image found in manifest list for architecture amd64"}' },
  ],
  [
    "BAD_REFERENCE",
    "Docker's 400",
    { status: 400, body: '{"message":"invalid reference format"}' },
  ],
  ["BAD_REFERENCE", "Podman's 500", { status: 500, body: '{"message":"normalizing image: x"}' }],
  ["ENGINE_UNREACHABLE", "a reset", "reset"],
  ["ENGINE_UNREACHABLE", "an answer cut short", { body: "{", cut: true }],
])("%s for %s", async ([code, , fault]) => {
  await using fake = await fakeEngine(failing(/json/, fault));
  const outcome = find(fake.host, ["app:v1"]).then((engine) => engine.inspect("app:v1"));
  await expect(outcome).rejects.toMatchObject({ code });
});

test("an engine that does not answer is given up after a while", async () => {
  await using fake = await fakeEngine(failing(/json/, "hang"));
  await expect(find(fake.host, ["app:v1"], { timings: { answer: 20 } })).rejects.toMatchObject({
    code: "ENGINE_UNREACHABLE",
    message: expect.stringContaining("within 0.02 s") as string,
  });
});

test("an interruption while the engine thinks ends with its reason", async () => {
  const controller = new AbortController();
  const fault = () => {
    controller.abort(new Error("interrupted"));
    return "hang" as const;
  };
  await using fake = await fakeEngine({ fault });
  const finding = find(fake.host, ["app:v1"], { signal: controller.signal });
  await expect(finding).rejects.toThrow("interrupted");
});

test("an engine that is not there, or no longer, is told apart", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kpush-test-"));
  const missing = find(`unix://${directory}/none.sock`, ["app:v1"]);
  await expect(missing).rejects.toMatchObject({ code: "ENGINE_NOT_FOUND" });
  await writeFile(join(directory, "file"), "");
  const stale = find(`unix://${directory}/file`, ["app:v1"]);
  await expect(stale).rejects.toMatchObject({ code: "ENGINE_UNREACHABLE" });
  await rm(directory, { recursive: true });
});

test("what speaks no HTTP is no engine", async () => {
  await using server = createTcpServer((socket) => socket.resume().end("SSH-2.0-OpenSSH\r\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const finding = find(`tcp://127.0.0.1:${port}`, ["app:v1"]);
  await expect(finding).rejects.toMatchObject({ code: "ENGINE_UNREACHABLE" });
});

test("an engine behind a path prefix on loopback is asked there", async () => {
  const asked: (string | undefined)[] = [];
  await using server = createServer((request, response) => {
    asked.push(request.url);
    response.end(JSON.stringify({ Id: "1".repeat(64) }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  using engine = await find(`tcp://127.0.0.1:${port}/engine/`, ["app:v1"]);
  expect(asked).toEqual(["/engine/images/app:v1/json?manifests=1"]);
  expect(engine.name).toBe(`Docker at tcp://127.0.0.1:${port}/engine`);
});

test("an image for Windows is refused", async () => {
  const images = [{ ...app, platform: "windows/amd64" }];
  await using opened = await open({ images });
  const inspecting = opened.engine.inspect("app:v1");
  await expect(inspecting).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
});

const multi = { ...app, platform: "linux/arm64/v8", missingPlatforms: ["linux/amd64"] };

test("--platform finds a platform that is there, with its variant", async () => {
  await using opened = await open({ kind: "containerd", images: [multi] });
  const image = await opened.engine.inspect("app:v1", "linux/arm64");
  expect(image.platform).toBe("linux/arm64/v8");
  expect(image.id).toBe(opened.fake.images[0]?.index?.digest);
});

test("--platform for one that is listed but not there says what is", async () => {
  await using opened = await open({ kind: "containerd", images: [multi] });
  await expect(opened.engine.inspect("app:v1", "amd64")).rejects.toMatchObject({
    code: "PLATFORM_NOT_FOUND",
    message: expect.stringContaining("linux/arm64/v8, linux/amd64 (not pulled)") as string,
  });
});

test.for(["graph", "podman"] as const)("%s: --platform must be the image's own", async (kind) => {
  await using opened = await open({ kind });
  await opened.engine.inspect("app:v1", "linux/amd64");
  await expect(opened.engine.inspect("app:v1", "linux/arm64")).rejects.toMatchObject({
    code: "PLATFORM_NOT_FOUND",
  });
});

test("the export is the engine's archive", async () => {
  await using opened = await open();
  const archive = await buffer(await opened.engine.export("app:v1"));
  expect(archive.includes("manifest.json")).toBe(true);
  expect(archive.length % 512).toBe(0);
});

const late = JSON.stringify({ errorDetail: { message: 'no "space"\u001b' }, error: "x" });

test.for<[string, Fault, string, RegExp]>([
  ["an early error", { status: 500, body: '{"message":"boom"}' }, "ENGINE_FAILED", /boom/],
  ["a late error", { body: `tar…${late}\n` }, "ENGINE_FAILED", /no \\"space/],
  ["an archive without its end", { body: "half a tar" }, "ENGINE_FAILED", /cut short/],
  ["a connection that breaks", { body: "half", cut: true }, "ENGINE_UNREACHABLE", /failed/],
])("an export with %s fails", async ([, fault, code, message]) => {
  await using opened = await open(failing(/\/get/, fault));
  const exporting = opened.engine.export("app:v1").then((stream) => buffer(stream));
  await expect(exporting).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message) as string,
  });
});

test("an export that is interrupted ends with the reason", async () => {
  const controller = new AbortController();
  await using fake = await fakeEngine({
    images: [app],
    ...failing(/\/get/, { body: "half", open: true }),
  });
  using engine = await find(fake.host, ["app:v1"], { signal: controller.signal });
  const stream = await engine.export("app:v1");
  const reading = buffer(stream);
  controller.abort(new Error("interrupted"));
  await expect(reading).rejects.toThrow("interrupted");
});

test("whoever stops reading an export ends the engine's work", async () => {
  let leave: () => void = () => undefined;
  const left = new Promise<void>((resolve) => (leave = resolve));
  await using server = createServer((request, response) => {
    if (request.url?.endsWith("/get")) {
      response.on("close", leave);
      response.write("half");
    } else response.end(JSON.stringify({ Id: "1".repeat(64) }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  using engine = await find(`tcp://127.0.0.1:${port}`, ["app:v1"]);
  (await engine.export("app:v1")).destroy();
  await left;
});

test("untag removes a name, but never the last that will stay", async () => {
  await using opened = await open({ images: [{ ...app, names: ["app:v1", "tmp:1", "tmp:2"] }] });
  const { engine, fake } = opened;
  expect(await engine.untag("gone:1")).toBe("absent");
  expect(await engine.untag("tmp:1")).toBe("removed");
  expect(await engine.untag("app:v1", ["tmp:2"])).toBe("kept");
  expect(await engine.untag("tmp:2")).toBe("removed");
  expect(await engine.untag("app:v1")).toBe("kept");
  expect(fake.images[0]?.names).toEqual(["app:v1"]);
  expect(fake.requests.filter((one) => one.startsWith("DELETE"))).toEqual([
    "DELETE /images/tmp:1?noprune=true",
    "DELETE /images/tmp:2?noprune=true",
  ]);
});

test("DOCKER_HOST of the process itself does not lead the calls elsewhere", async () => {
  await using other = await fakeEngine({ images: [app] });
  await using opened = await open();
  const before = process.env["DOCKER_HOST"];
  process.env["DOCKER_HOST"] = other.host;
  try {
    await opened.engine.tag("app:v1", "127.0.0.1:5000/app", "v1");
  } finally {
    if (before === undefined) delete process.env["DOCKER_HOST"];
    else process.env["DOCKER_HOST"] = before;
  }
  expect(other.requests).toEqual([]);
  expect(opened.fake.images[0]?.names).toEqual(["app:v1", "127.0.0.1:5000/app:v1"]);
});
