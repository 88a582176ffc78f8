import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findEngine } from "../../src/engine/find.ts";
import type { KpushEvent } from "../../src/events.ts";
import { fakeEngine, type FakeEngineOptions } from "../fakes/engine.ts";

const app = { names: ["app:v1"], layers: ["one"] };
const web = { names: ["web:v1"], layers: ["two"] };

/** The usual places, in their order, that a test puts engines at. */
const places = [".docker/run/docker.sock", ".rd/docker.sock", ".orbstack/run/docker.sock"];

/** Engines at the usual sockets of a home directory, and the search for one of them. */
async function engines(...all: FakeEngineOptions[]) {
  const home = await mkdtemp(join(tmpdir(), "kpush-home-"));
  const fakes = await Promise.all(all.map(fakeEngine));
  for (const [at, fake] of fakes.entries()) {
    const place = join(home, places[at] ?? "");
    await mkdir(join(place, ".."), { recursive: true });
    await symlink(fake.host.replace("unix://", ""), place);
  }
  const events: KpushEvent[] = [];
  // Hides the engines of the machine that the tests run on.
  const exists = (path: string) => path.startsWith(home) && existsSync(path);
  const files = { exists, read: () => undefined };
  return {
    fakes,
    events,
    find: (names: string[], patience = 60_000, signal = new AbortController().signal) =>
      findEngine(
        {},
        names,
        { env: {}, home, platform: "linux" },
        (event) => events.push(event),
        signal,
        {
          patience,
          files,
        },
      ),
    /** Which of them was chosen. */
    placeOf: (endpoint: string) => places.findIndex((place) => endpoint.endsWith(place)),
    async [Symbol.asyncDispose]() {
      for (const fake of fakes) await fake[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}

const onUnix = test.skipIf(process.platform === "win32");

onUnix.for<[string, FakeEngineOptions[], string[], number]>([
  ["the first of two that hold it", [{ images: [app] }, { images: [app] }], ["app:v1"], 0],
  ["the one that holds it", [{ images: [web] }, { images: [app] }], ["app:v1"], 1],
  ["the one that holds all", [{ images: [app] }, { images: [app, web] }], ["app:v1", "web:v1"], 1],
  ["the one that holds most", [{}, { images: [app] }], ["app:v1", "no:1"], 1],
  ["one that works", [{ fault: () => "reset" }, { images: [app], kind: "podman" }], ["app:v1"], 1],
])(
  "of several engines none of which was chosen, takes %s",
  async ([, options, names, expected]) => {
    await using several = await engines(...options);
    using engine = await several.find(names);
    expect(several.placeOf(engine.endpoint)).toBe(expected);
  },
);

onUnix("all engines are asked at once, and the chosen one is not asked again", async () => {
  await using several = await engines({ images: [web] }, { images: [app] });
  using engine = await several.find(["app:v1"]);
  await engine.inspect("app:v1");
  for (const { requests } of several.fakes) {
    expect(requests).toEqual(["GET /images/app:v1/json?manifests=1"]);
  }
});

onUnix("an engine that hangs holds up one that has the image only for a moment", async () => {
  await using several = await engines({ fault: () => "hang" }, { images: [app] });
  using engine = await several.find(["app:v1"], 1);
  expect(several.placeOf(engine.endpoint)).toBe(1);
});

onUnix("an engine that comes first and has the image waits for no other", async () => {
  await using several = await engines({ images: [app] }, { fault: () => "hang" });
  using engine = await several.find(["app:v1"]);
  expect(several.placeOf(engine.endpoint)).toBe(0);
});

onUnix("an engine that is passed over is told to whoever asks for details", async () => {
  await using several = await engines({ fault: () => "reset" }, { images: [app] });
  using engine = await several.find(["app:v1"]);
  expect(engine.store).toBe("graph");
  const messages = several.events.map((event) => (event.type === "debug" ? event.message : ""));
  expect(messages).toContainEqual(
    expect.stringMatching(/\.docker\/run.* is passed over: the connection/),
  );
});

onUnix("no engine at all: says where it was looked", async () => {
  await using several = await engines();
  await expect(several.find(["app:v1"])).rejects.toMatchObject({
    code: "ENGINE_NOT_FOUND",
    message: expect.stringContaining("unix:///var/run/docker.sock") as string,
  });
});

test("pipes are asked and not looked for: to look at one is to open it", async () => {
  const files = { exists: () => expect.unreachable("a pipe was looked at"), read: () => undefined };
  const surroundings = { env: {}, home: "C:\\Users\\dev", platform: "win32" } as const;
  const { signal } = new AbortController();
  const finding = findEngine({}, ["app:v1"], surroundings, () => undefined, signal, { files });
  await expect(finding).rejects.toMatchObject({
    code: "ENGINE_NOT_FOUND",
    message: expect.stringMatching(
      /looked at npipe:.*docker_engine, .*, npipe:.*podman-machine-default$/,
    ) as string,
  });
});

onUnix("an interruption ends the search with its reason", async () => {
  const controller = new AbortController();
  const fault = () => {
    controller.abort(new Error("interrupted"));
    return "hang" as const;
  };
  await using several = await engines({ fault }, { fault });
  const finding = several.find(["app:v1"], 1, controller.signal);
  await expect(finding).rejects.toThrow("interrupted");
});
