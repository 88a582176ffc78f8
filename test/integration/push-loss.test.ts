import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { runningPod } from "../../src/demo/pods.ts";
import { cuttingProxy, type CuttingProxy } from "../fakes/cuts.ts";
import { registryLabels, startWorld, type World } from "../fakes/world.ts";

const app = { names: ["app:v1"], layers: ["one", "two"] };
const pullRef = (name: string) => new RegExp(`^localhost:5000/${name}@sha256:[0-9a-f]{64}\\n$`);

/** Has the world's kubeconfig lead to the API server over a link. */
async function leadOver(link: CuttingProxy, { api, kubeconfig }: World): Promise<void> {
  await writeFile(kubeconfig, api.kubeconfig().replace(`:${api.port}`, `:${link.port}`));
}

test("a registry pod that is replaced by an empty one has the push start over, once", async () => {
  await using world = await startWorld({ kind: "containerd", images: [app] });
  let replaced = false;
  world.registry.onRequest = (request) => {
    if (replaced || request.method !== "PUT" || !request.url?.includes("/manifests/")) return false;
    replaced = true;
    world.api.pods = [
      runningPod({ namespace: "kpush-system", name: "kpush-registry-2", labels: registryLabels }),
    ];
    void world.registry.clear().then(() => request.socket.destroy());
    return true;
  };
  const run = await world.kpush(["app:v1"]);
  expect(run.stderr).toContain("kpush-registry-2");
  expect(run).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(pullRef("app:v1")) as string,
  });
});

test.for(["graph", "containerd", "podman"] as const)(
  "%s: a registry that ends the engine's connection has it push once more",
  async (kind) => {
    const large = { names: ["app:v1"], layers: [Buffer.alloc(1 << 20)] };
    await using world = await startWorld({ kind, images: [large] });
    let ended = false;
    world.registry.onRequest = (request) => {
      if (ended || request.headers["content-length"] !== `${1 << 20}`) return false;
      ended = true;
      request.socket.end();
      return true;
    };
    const run = await world.kpush(["app:v1", "--route", "daemon"]);
    expect(run.stderr).toContain("the connection was lost");
    expect(run).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(pullRef("app:v1")) as string,
    });
  },
);

test.for([
  ["in the TLS handshake", { direction: "up", after: 3, reset: false }],
  ["by a reset", { direction: "up", after: 3, reset: true }],
] as const)("a connection to the API server that breaks %s is opened again", async ([, cut]) => {
  await using world = await startWorld({ images: [app] });
  await using link = await cuttingProxy({ port: world.api.port }, { cuts: [cut], stays: false });
  await leadOver(link, world);
  expect(await world.kpush(["app:v1"])).toMatchObject({ code: 0 });
  expect(link.made).toBe(1);
});

test("a cluster that goes away during the push is told by another exit code than one that was never there", async () => {
  await using world = await startWorld({ images: [app] });
  const link = await cuttingProxy({ port: world.api.port }, { cuts: [], stays: false });
  await leadOver(link, world);
  world.registry.onRequest = (request) => {
    if (request.method !== "POST") return false;
    void link[Symbol.asyncDispose]();
    return true;
  };
  const args = ["app:v1", "--route", "direct", "--json"];
  const lost = await world.kpush(args);
  expect(lost).toMatchObject({
    code: 5,
    stdout: expect.stringContaining("TUNNEL_FAILED") as string,
  });
  const never = await world.kpush(args);
  expect(never).toMatchObject({
    code: 4,
    stdout: expect.stringContaining("CLUSTER_UNREACHABLE") as string,
  });
});
