import { rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { runningPod } from "../../src/demo/pods.ts";
import { registryLabels, startWorld, type World } from "../fakes/world.ts";

const app = { names: ["app:v1"], layers: ["one", "two"] };

/** Runs a push with `--json`, which names the code, and without, which says it to a person. */
async function failure(
  world: World,
  args: string[],
): Promise<{ code: string; exit: number; stderr: string }> {
  const { stdout } = await world.kpush(["--json", ...args]);
  const { code, stderr } = await world.kpush(args);
  const document = JSON.parse(stdout) as {
    ok: boolean;
    error?: { code: string };
    images?: { error?: { code: string } }[];
  };
  expect(document.ok).toBe(false);
  expect(stderr).not.toContain("\n    at ");
  return {
    code: document.error?.code ?? document.images?.[0]?.error?.code ?? "",
    exit: code,
    stderr,
  };
}

test.for<[string, string[], string, number, RegExp]>([
  ["an empty name", [""], "BAD_REFERENCE", 2, /empty/],
  ["a name of 300 characters", ["a".repeat(300)], "BAD_REFERENCE", 2, /longer than/],
  ["upper case", ["App:v1"], "BAD_REFERENCE", 2, /lower-case.*\n.*app:v1/s],
  ["an IPv6 address in front", ["[::1]:5000/x"], "BAD_REFERENCE", 2, /--name/],
  ["an image that is not there", ["nowhere:v1"], "IMAGE_NOT_FOUND", 3, /nowhere:v1/],
  ["a command misspelt", ["instal"], "IMAGE_NOT_FOUND", 3, /kpush install/],
  [
    "two images with one name",
    ["app:v1", "docker.io/library/app:v1"],
    "SAME_TARGET",
    2,
    /app:v1.*--name/s,
  ],
])("%s has its own message", async ([, args, code, exit, message]) => {
  await using world = await startWorld({ images: [app, { names: ["x"], layers: ["x"] }] });
  expect(await failure(world, args)).toEqual({
    code,
    exit,
    stderr: expect.stringMatching(message) as string,
  });
});

test("a Windows image is refused", async () => {
  await using world = await startWorld({ images: [{ ...app, platform: "windows/amd64" }] });
  expect(await failure(world, ["app:v1"])).toMatchObject({ code: "IMAGE_UNSUPPORTED", exit: 3 });
});

test.for<[string, (world: World) => Promise<void>, string, RegExp]>([
  ["no kubeconfig", (world) => rm(world.kubeconfig), "KUBECONFIG_NOT_FOUND", /kubeconfig/],
  [
    "an empty kubeconfig",
    (world) => writeFile(world.kubeconfig, ""),
    "KUBECONFIG_NOT_FOUND|KUBECONFIG_INVALID|CONTEXT_NOT_FOUND",
    /kubeconfig/,
  ],
  [
    "a broken kubeconfig",
    (world) => writeFile(world.kubeconfig, "a: [b\n"),
    "KUBECONFIG_INVALID",
    /kubeconfig/,
  ],
  [
    "no current context",
    (world) =>
      writeFile(
        world.kubeconfig,
        world.api.kubeconfig().replace(/"current-context":\s*"test"/, '"current-context": ""'),
      ),
    "CONTEXT_NOT_FOUND",
    /--context/,
  ],
  [
    "a dead server",
    (world) =>
      writeFile(world.kubeconfig, world.api.kubeconfig().replace(`:${world.api.port}`, ":1")),
    "CLUSTER_UNREACHABLE",
    /127\.0\.0\.1/,
  ],
])("%s has its own message", async ([, spoil, code, message]) => {
  await using world = await startWorld({ images: [app] });
  await spoil(world);
  const failed = await failure(world, ["app:v1"]);
  expect(failed.code).toMatch(new RegExp(`^(?:${code})$`));
  expect(failed).toMatchObject({ exit: 4, stderr: expect.stringMatching(message) as string });
});

test.for<[string, string, RegExp, (request: IncomingMessage, response: ServerResponse) => boolean]>(
  [
    [
      "answers HTML",
      "REGISTRY_UNHEALTHY",
      /HTML|no registry/i,
      (_request, response) => answer(response, 200, "<html>hello</html>", "text/html"),
    ],
    [
      "asks for a login",
      "REGISTRY_AUTH",
      /login|401/i,
      (_request, response) => answer(response, 401, "{}"),
    ],
    [
      "is read-only",
      "REGISTRY_READ_ONLY",
      /read-only/i,
      (request, response) =>
        request.method !== "GET" &&
        request.method !== "HEAD" &&
        answer(response, 405, '{"errors":[{"code":"UNSUPPORTED"}]}'),
    ],
    [
      "has a full disk",
      "REGISTRY_FULL",
      /full|space/i,
      (request, response) =>
        request.method !== "GET" &&
        request.method !== "HEAD" &&
        answer(
          response,
          500,
          '{"errors":[{"code":"UNKNOWN","detail":{"Err":"write /var/lib/registry: no space left on device"}}]}',
        ),
    ],
  ],
)("a registry that %s has its own message", async ([, code, message, onRequest]) => {
  await using world = await startWorld({ images: [app] });
  world.registry.onRequest = (request, response) => {
    request.resume();
    return onRequest(request, response);
  };
  expect(await failure(world, ["app:v1"])).toEqual({
    code,
    exit: 5,
    stderr: expect.stringMatching(message) as string,
  });
});

test.for([
  [
    "as Go's servers say it",
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
  ],
  ["by a TLS alert", Buffer.from([0x15, 3, 3, 0, 2, 2, 70])],
] as const)("a registry that speaks TLS has its own message, %s", async ([, words]) => {
  await using world = await startWorld({ images: [app] });
  const secure = createServer((socket) => socket.once("data", () => socket.end(words))).listen(
    0,
    "127.0.0.1",
  );
  await once(secure, "listening");
  const { port } = secure.address() as AddressInfo;
  world.api.dial = () => Promise.resolve(connect(port, "127.0.0.1"));
  try {
    expect(await failure(world, ["app:v1"])).toMatchObject({ code: "REGISTRY_TLS", exit: 5 });
  } finally {
    secure.close();
  }
});

test.for<[string, string, (world: World) => void]>([
  ["no registry", "REGISTRY_NOT_FOUND", (world) => (world.api.pods = [])],
  [
    "two registries",
    "REGISTRY_AMBIGUOUS",
    (world) =>
      (world.api.pods = ["a", "b"].map((name) =>
        withOwner(runningPod({ namespace: "kpush-system", name, labels: registryLabels }), name),
      )),
  ],
  [
    "a registry that is not Ready",
    "REGISTRY_NOT_READY",
    (world) => {
      const pod = runningPod({ namespace: "kpush-system", name: "a", labels: registryLabels });
      world.api.pods = [{ ...pod, status: { phase: "Pending" } }];
    },
  ],
])("%s has its own message", async ([, code, spoil]) => {
  await using world = await startWorld({ images: [app] });
  spoil(world);
  expect(await failure(world, ["app:v1"])).toMatchObject({ code, exit: 5 });
});

function withOwner(
  pod: ReturnType<typeof runningPod>,
  name: string,
): ReturnType<typeof runningPod> {
  const ownerReferences = [
    { apiVersion: "apps/v1", kind: "ReplicaSet", name, uid: name, controller: true },
  ];
  return { ...pod, metadata: { ...pod.metadata, ownerReferences } };
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  type = "application/json",
): boolean {
  response.writeHead(status, { "content-type": type }).end(body);
  return true;
}
