import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { expect, test } from "vitest";
import { networkError } from "../../src/cluster/network-error.ts";
import { KpushError } from "../../src/errors.ts";
import { bulkBytes, openBulkWay } from "../../src/push/bulk-way.ts";
import { registryClient } from "../../src/registry/client.ts";
import { servePodProxy } from "../fakes/pod-proxy.ts";
import { startWorld } from "../fakes/world.ts";

const large = randomBytes(bulkBytes);
const blob = {
  digest: `sha256:${createHash("sha256").update(large).digest("hex")}`,
  size: large.length,
  open: (offset: number) => Readable.from(large.subarray(offset)),
};
const minute = 60_000;

/** The way to a registry, over a fake API server's proxy to pods. */
async function startWay(allowed = () => Promise.resolve(true), patience = minute) {
  const world = await startWorld({ images: [] });
  const proxy = servePodProxy(world.api, world.registry.port);
  const config = new KubeConfig();
  config.loadFromString(world.api.kubeconfig());
  const [pod] = world.api.pods;
  const target = {
    namespace: pod?.metadata.namespace ?? "",
    name: pod?.metadata.name ?? "",
    uid: pod?.metadata.uid ?? "",
    port: 5000,
  };
  const told: string[] = [];
  const controller = new AbortController();
  const way = openBulkWay(
    {
      config,
      patience,
      pin: () => Promise.resolve(target),
      refreshCredentials: () => Promise.resolve(false),
      explainForbidden: () => Promise.resolve(new KpushError("CLUSTER_FORBIDDEN", "forbidden")),
      explainFailure: (error) => networkError(error, world.api.url),
      report: (event) => {
        if (event.type === "debug") told.push(event.message);
      },
      signal: controller.signal,
    },
    allowed,
  );
  return {
    ...{ world, proxy, way, told },
    /** Uploads a large layer by this way alone. */
    async upload() {
      await using client = registryClient({
        connect: async () => {
          const socket = await way.connect(bulkBytes);
          if (!socket) throw new KpushError("UNEXPECTED", "no such way");
          return socket;
        },
        signal: controller.signal,
        timings: { attempts: 1 },
      });
      await client.uploadBlob("app", blob);
    },
    async [Symbol.asyncDispose]() {
      controller.abort(new Error("the test is over"));
      await way[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

test("large uploads go by the proxy to pods, which is asked for once", async () => {
  let asked = 0;
  await using it = await startWay(() => Promise.resolve(Boolean((asked += 1))));
  await it.upload();
  await it.upload();
  expect(asked).toBe(1);
  expect(it.told).toEqual(["tunnel: large uploads go by the proxy to pods"]);
  expect(it.proxy.requests.filter((request) => request === "GET /v2/")).toHaveLength(1);
  expect(it.proxy.requests).toContainEqual(expect.stringMatching(/^(PUT|PATCH) .*\/uploads\//));
  expect(it.way.takeError()).toBeUndefined();
});

test("nothing is asked for a small upload", async () => {
  await using it = await startWay(() => Promise.reject(new Error("asked")));
  expect(await it.way.connect(bulkBytes - 1)).toBeUndefined();
  expect(it.proxy.requests).toEqual([]);
  expect(it.told).toEqual([]);
});

test("there is no such way where a right is missing", async () => {
  await using it = await startWay(() => Promise.resolve(false));
  expect(await it.way.connect(bulkBytes)).toBeUndefined();
  expect(it.told).toEqual([expect.stringContaining("it is not allowed")]);
  expect(it.way.takeError()).toBeUndefined();
});

test("nor where the proxy does not lead to the registry", async () => {
  await using it = await startWay();
  it.proxy.fault = () => ({ status: 503, message: "no endpoints" });
  expect(await it.way.connect(bulkBytes)).toBeUndefined();
  expect(it.told).toEqual([expect.stringContaining("not by the proxy to pods")]);
  expect(it.way.takeError()).toBeUndefined();
});

test("nor where it takes too long", async () => {
  await using it = await startWay(() => new Promise(() => undefined), 1);
  expect(await it.way.connect(bulkBytes)).toBeUndefined();
  expect(it.told).toEqual([expect.stringContaining("it takes too long")]);
});

test.for([
  ["breaks", 503, "error trying to reach service: read: connection reset by peer"],
  ["takes no large body", 413, "Request Entity Too Large"],
  ["is forbidden after all", 403, "no"],
] as const)("a way that %s is left, as a tunnel that failed", async ([, status, message]) => {
  await using it = await startWay();
  it.proxy.fault = (request) => (request.includes("uploads") ? { status, message } : undefined);
  await expect(it.upload()).rejects.toThrow();
  expect(it.way.takeError()).toMatchObject({ code: "TUNNEL_FAILED" });
  expect(it.way.takeError()).toBeUndefined();
  expect(await it.way.connect(bulkBytes)).toBeUndefined();
});
