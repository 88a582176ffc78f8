import { expect, test } from "vitest";
import { runningPod } from "../../src/demo/pods.ts";
import { servePodProxy } from "../fakes/pod-proxy.ts";
import { registryLabels, startWorld } from "../fakes/world.ts";

const app = { names: ["app:v1"], layers: ["one", "two".repeat(100_000)] };
const pulled = /^localhost:5000\/app:v1@sha256:[0-9a-f]{64}\n$/;

/** A cluster where nobody may forward a port. */
async function withProxy(denied: string[] = [], reachesHost = true) {
  const world = await startWorld({ images: [app], reachesHost });
  const proxy = servePodProxy(world.api, world.registry.port);
  world.api.allow = (verb, resource) =>
    resource !== "pods/portforward" && !denied.includes(`${verb} ${resource}`);
  return Object.assign(world, { proxy });
}

test.for(["direct", "daemon"])(
  "where port-forward is forbidden, the %s route goes by the proxy to pods",
  async (route) => {
    await using world = await withProxy();
    const run = await world.kpush(["app:v1", "--route", route, "-v"]);
    expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(pulled) as string });
    expect(run.stderr).toContain("the proxy to pods takes its place");
    expect(world.proxy.requests).toContainEqual(expect.stringMatching(/^PUT .*\/manifests\/v1$/));
    expect(world.api.openSockets).toBe(0);
    const again = await world.kpush(["app:v1"]);
    expect(again).toMatchObject({ code: 0, stdout: run.stdout });
    expect(again.stderr).toContain("unchanged");
  },
);

test("whoever may do neither reads what port-forward lacks", async () => {
  await using world = await withProxy(["patch pods/proxy"]);
  const run = await world.kpush(["app:v1", "--json"]);
  expect(run.code).toBe(4);
  expect(JSON.parse(run.stdout)).toMatchObject({
    images: [
      {
        error: {
          code: "CLUSTER_FORBIDDEN",
          message: expect.stringContaining("pods/portforward") as string,
        },
      },
    ],
  });
  expect(world.proxy.requests).toEqual([]);
});

test("whoever may forward a port needs no proxy for a small image", async () => {
  await using world = await withProxy();
  world.api.allow = () => true;
  expect(await world.kpush(["app:v1"])).toMatchObject({ code: 0 });
  expect(world.proxy.requests).toEqual([]);
});

test("a pod that is gone is not taken for a registry without the image", async () => {
  await using world = await withProxy();
  world.proxy.fault = (request) => {
    if (!request.includes("/blobs/")) return undefined;
    world.api.pods = [
      runningPod({ namespace: "kpush-system", name: "kpush-registry-2", labels: registryLabels }),
    ];
    world.proxy.fault = undefined;
    return { status: 404, message: 'pods "kpush-registry-1" not found' };
  };
  const run = await world.kpush(["app:v1", "--route", "direct"]);
  expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(pulled) as string });
  expect(run.stderr).toContain("going on with kpush-registry-2");
});

test("a registry that does not listen is told as by a port-forward", async () => {
  await using world = await withProxy();
  const message =
    "error trying to reach service: dial tcp 10.0.0.3:5000: connect: connection refused";
  world.proxy.fault = () => ({ status: 503, message });
  const run = await world.kpush(["app:v1", "--json"]);
  expect(run.code).toBe(5);
  expect(JSON.parse(run.stdout)).toMatchObject({
    images: [{ error: { code: "REGISTRY_REFUSED" } }],
  });
});

test("a right that is taken away in between is told with its verb", async () => {
  await using world = await withProxy();
  const { allow } = world.api;
  world.proxy.fault = () => {
    world.api.allow = (verb, resource, namespace) =>
      !(verb === "create" && resource === "pods/proxy") && allow(verb, resource, namespace);
    return undefined;
  };
  const run = await world.kpush(["app:v1", "--route", "direct", "--json"]);
  expect(run.code).toBe(4);
  expect(run.stdout).toContain("cannot create resource");
});

test("the API server's credentials do not reach the registry, nor the engine's the API server", async () => {
  await using world = await withProxy();
  const seen: (string | undefined)[] = [];
  const { onRequest } = world.api;
  world.api.onRequest = (request, response) => {
    seen.push(request.headers.authorization);
    return onRequest?.(request, response) ?? false;
  };
  expect(await world.kpush(["app:v1", "--route", "daemon"])).toMatchObject({ code: 0 });
  expect(new Set(seen)).toEqual(new Set([`Bearer ${world.api.token}`]));
});

test("an interruption ends it", async () => {
  await using world = await withProxy();
  const controller = new AbortController();
  world.proxy.fault = (request) => {
    if (request.startsWith("POST")) controller.abort(new Error("interrupted"));
    return undefined;
  };
  const run = await world.kpush(["app:v1", "--route", "daemon"], controller.signal);
  expect(run.code).not.toBe(0);
});
