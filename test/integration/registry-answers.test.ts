import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { heldImage } from "../fakes/held.ts";
import { graphArchive, imageOf, tarOf } from "../fakes/image-archives.ts";
import { answers, hangsUp, refuses, type Fault } from "../fakes/registry.ts";
import { startWorld, type World } from "../fakes/world.ts";

/** The requests of a push by the direct route, in their order; each image here makes all of them. */
const steps = {
  lookUp: /^GET \S+\/manifests\//,
  ping: /^GET \/v2\/$/,
  otherTags: /^GET \S+\/tags\/list/,
  hasBlob: /^HEAD \S+\/blobs\//,
  mount: /^POST \S+\?mount=/,
  begin: /^POST \S+\/uploads\/$/,
  patch: /^PATCH /,
  putBlob: /^PUT \S+\/uploads\//,
  putManifest: /^PUT \S+\/manifests\//,
  verify: /^HEAD \S+\/manifests\//,
};
type Step = keyof typeof steps;
const allSteps = Object.keys(steps) as Step[];

/** Without these a push is the slower, and no worse. */
const spared: readonly Step[] = ["otherTags", "mount"];
/** Where a 404 is an answer like any other. */
const absences: readonly Step[] = ["lookUp", "hasBlob"];
type End = `REGISTRY_${string}` | "PUSH_REJECTED" | "VERIFY_FAILED";

let world: World;
/** A server that no Location may bring kpush to. */
const decoy = createServer((socket) => socket.destroy());
const callers: unknown[] = [];
const noise = randomBytes(2.1 * 1024 * 1024);
const shared = Buffer.alloc(3000, "what all images share ");

beforeAll(async () => {
  world = await startWorld();
  decoy.on("connection", (socket) => callers.push(socket)).listen(0, "127.0.0.1");
  await once(decoy, "listening");
  await pushAs("base", Buffer.from("only here"));
});
afterAll(async () => {
  decoy.close();
  await world[Symbol.asyncDispose]();
});

async function pushAs(name: string, own: Buffer) {
  const image = imageOf([shared, own]);
  await writeFile(join(world.home, "app.tar"), await tarOf(graphArchive(image)));
  const run = await world.kpush(["./app.tar", "-v", "--name", name]);
  return { ...run, id: image.id, diffIds: image.diffIds };
}

/** A fault; it may let the registry answer all the same. */
type Order = Fault | ((...exchange: Parameters<Fault>) => "and the registry");

/** Pushes an image of its own while the registry answers so at these steps, `times` times at each. */
async function pushAgainst(faulty: readonly Step[], fault: Order, times: number) {
  const name = `row-${world.registry.requests.length}`;
  const met = new Map<Step, number>();
  world.registry.onRequest = (request, response) => {
    const line = `${request.method ?? ""} ${request.url ?? ""}`;
    const step = faulty.find((one) => steps[one].test(line));
    const before = (step && met.get(step)) ?? 0;
    if (step === undefined || before === times) return false;
    met.set(step, before + 1);
    return fault(request, response) !== "and the registry";
  };
  // A long layer goes up by PATCH; what is packed of it shows at its beginning.
  const long = faulty.includes("patch") ? noise : Buffer.alloc(0);
  const run = await pushAs(name, Buffer.concat([Buffer.alloc(256 * 1024, name), long]));
  world.registry.onRequest = undefined;
  expect([...met.keys()].toSorted()).toEqual(faulty.toSorted());
  // Of half an image, or a wrong one, this throws.
  return { ...run, held: await heldImage(world.registry.url, name, "latest") };
}

async function expectRight(faulty: readonly Step[], fault: Order, times: number) {
  const { code, stdout, stderr, held, id, diffIds } = await pushAgainst(faulty, fault, times);
  expect(code, stderr).toBe(0);
  expect(held).toEqual({ id, diffIds, digest: stdout.trim().split("@")[1] });
}

async function expectError(step: Step, fault: Order, end: End, words: RegExp) {
  const { code, stdout, stderr, held, id } = await pushAgainst([step], fault, Infinity);
  const [, message, hint, named] =
    /^error: (.*)\n(?: {2}.*\n)*hint: (.+)\ncode: (.+)$/m.exec(stderr) ?? [];
  expect({ code, stdout, end: named }, `${step}: ${message ?? stderr}`).toEqual({
    code: 5,
    stdout: "",
    end,
  });
  expect(message, step).toMatch(words);
  expect(hint).toMatch(/\w{3}/);
  expect(held?.id, step).toBe(step === "verify" ? id : undefined);
}

const later = new Date(Date.now() + 3_600_000).toUTCString();

describe("a registry that keeps answering", () => {
  test.for<[string, Fault, End, RegExp]>([
    [
      "401, and where a token could be had",
      (request, response) => {
        const realm = `Bearer realm="${foreign("/token")}",service="registry"`;
        answers(401, "", { "www-authenticate": realm })(request, response);
      },
      "REGISTRY_AUTH",
      /login/,
    ],
    ["404 as another service would", answers(404), "REGISTRY_UNHEALTHY", /no registry/],
    [
      "404 as a registry would",
      refuses(404, "NAME_UNKNOWN", "repository name not known"),
      "PUSH_REJECTED",
      /not known/,
    ],
    ["413", answers(413), "PUSH_REJECTED", /too large/],
    ["429 for an hour", answers(429, "", { "retry-after": "3600" }), "REGISTRY_UNHEALTHY", /429/],
    ["429 until a date", answers(429, "", { "retry-after": later }), "REGISTRY_UNHEALTHY", /429/],
    ["500", answers(500, "boom"), "REGISTRY_UNHEALTHY", /status 500/],
    [
      "503 for an hour",
      answers(503, "", { "retry-after": "3600" }),
      "REGISTRY_UNHEALTHY",
      /status 503/,
    ],
    ["507", answers(507), "REGISTRY_FULL", /no space/],
    [
      "with a way to elsewhere",
      (request, response) => answers(308, "", { location: foreign("/v2/") })(request, response),
      "REGISTRY_UNHEALTHY",
      /elsewhere/,
    ],
  ])("%s", async ([name, fault, end, words]) => {
    const absent = name.startsWith("404");
    if (absent) await expectError("verify", fault, "VERIFY_FAILED", /does not serve/);
    const harmless = [...spared, ...(absent ? absences : [])];
    await expectRight(harmless, fault, Infinity);
    // An upload that is unknown is begun anew, with a wait in between: see registry-trouble.
    const others = absent ? (["ping", "begin", "putManifest"] as const) : allSteps;
    for (const step of others.filter((one) => !harmless.includes(one)))
      await expectError(step, fault, end, words);
    expect(callers).toEqual([]);
  });
});

describe("a registry that answers once", () => {
  test.for<[string, Order]>([
    ["429 for no time", answers(429, "", { "retry-after": "0" })],
    [
      "429 until a date that has gone by",
      answers(429, "", { "retry-after": new Date(0).toUTCString() }),
    ],
    ["503", answers(503)],
    ["nothing, and closes", hangsUp],
    ["half a head", (request) => void request.socket.end("HTTP/1.1 201 Created\r\nContent-Len")],
    ["half a body", halves],
    ["after it has done its work, and closes", losesAnswer],
  ])("%s", async ([, fault]) => {
    // Those of one upload count together: the second time it waits.
    const upload: readonly Step[] = ["begin", "patch", "putBlob"];
    for (const step of upload) await expectRight([step], fault, 1);
    await expectRight(
      allSteps.filter((step) => !upload.includes(step)),
      fault,
      1,
    );
  });
});

describe("a registry that says that an upload goes on", () => {
  test.for<[string, (path: string) => string | undefined, End?]>([
    ["at a path", (path) => path],
    ["at a path from here", (path) => `./${path.split("/").at(-1) ?? ""}?_state=a%2Bb`],
    ["at the address that it thinks it has", (path) => `http://registry:5000${path}?x`],
    ["at another host", foreign],
    ["at another host, by the scheme of here", (path) => foreign(path).slice(5)],
    ["at another host, as somebody", (path) => foreign(path).replace("//", "//me:secret@")],
    ["nowhere", () => undefined, "REGISTRY_UNHEALTHY"],
    ["at a path of another service", () => "/login?next=/v2/", "REGISTRY_UNHEALTHY"],
    ["at a path that climbs out", () => "/v2/../etc/passwd", "REGISTRY_UNHEALTHY"],
    ["at no address", () => "http://[half", "REGISTRY_UNHEALTHY"],
    ["by another protocol", () => "mailto:me@example.com", "REGISTRY_UNHEALTHY"],
  ])("%s", async ([, change, end]) => {
    const relocates: Order = (_request, response) => relocate(response, change);
    if (end === undefined) await expectRight(["begin", "patch"], relocates, Infinity);
    else
      for (const step of ["begin", "patch"] as const)
        await expectError(step, relocates, end, /Location/);
    // In place of a mount, an upload.
    const unmounts: Order = (request, response) => {
      request.url = request.url?.replace(/\?.*/, "");
      return relocate(response, change);
    };
    await expectRight(["mount"], unmounts, Infinity);
    expect(callers).toEqual([]);
  });
});

function foreign(path: string): string {
  return `http://127.0.0.1:${(decoy.address() as AddressInfo).port}${path}`;
}

/** Lets the registry answer, with another Location. */
function relocate(
  response: ServerResponse,
  change: (path: string) => string | undefined,
): "and the registry" {
  const writeHead = response.writeHead.bind(response);
  response.writeHead = ((status: number, { location = "", ...headers }: Record<string, string>) => {
    const changed = change(new URL(location).pathname);
    return writeHead(status, { ...headers, ...(changed !== undefined && { location: changed }) });
  }) as typeof writeHead;
  return "and the registry";
}

/** Lets the registry do all that it is asked, and closes the connection in place of its answer. */
function losesAnswer(request: IncomingMessage, response: ServerResponse): "and the registry" {
  response.writeHead = () => {
    request.socket.destroy();
    return response;
  };
  return "and the registry";
}

/** Lets the registry begin its answer, and closes the connection before the end of it. */
function halves(request: IncomingMessage, response: ServerResponse): "and the registry" {
  const writeHead = response.writeHead.bind(response);
  response.writeHead = ((status: number, headers: Record<string, string>) => {
    writeHead(status, { ...headers, "content-length": "1000" }).flushHeaders();
    request.socket.end("{");
    return response;
  }) as typeof writeHead;
  response.end = () => response;
  return "and the registry";
}
