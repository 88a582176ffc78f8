import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { startWorld, type World } from "../fakes/world.ts";

const layers = ["one", "two", "three"].map((word) => word.repeat(5000));
const packed = { names: ["app:v1"], layers, size: 400e6 };
const rebuilt = { names: ["app:v2"], layers: [...layers, "four".repeat(5000)], size: 400e6 };

/** A cluster where v1 lies packed, and an engine with a containerd store that has v2 with one layer more. */
async function startRebuilt(more: Parameters<typeof startWorld>[0] = {}): Promise<World> {
  const world = await startWorld({ kind: "containerd", images: [packed, rebuilt], ...more });
  const first = await world.kpush(["app:v1", "--route", "direct", "--compression", "gzip"]);
  expect(first.code).toBe(0);
  world.engine.requests.length = 0;
  return world;
}

interface Served {
  digest: string;
  layers: { mediaType: string; digest: string; size: number }[];
  config: { digest: string };
}

async function served({ registry }: World, tag: string): Promise<Served> {
  const answer = await fetch(`${registry.url}/v2/app/manifests/${tag}`);
  const digest = answer.headers.get("docker-content-digest") ?? "";
  return { ...((await answer.json()) as Served), digest };
}

async function contentOf({ registry }: World, digest: string): Promise<Buffer> {
  const answer = await fetch(`${registry.url}/v2/app/blobs/${digest}`);
  return gunzipSync(Buffer.from(await answer.arrayBuffer()));
}

test("layers that lie in the registry packed are not sent again, and the new one is packed", async () => {
  await using world = await startRebuilt();
  const run = await world.kpush(["-v", "app:v2", "--compression", "gzip"]);
  expect(run).toMatchObject({ code: 0 });
  expect(run.stderr).toContain("route daemon: the engine reads what is missing, and kpush knows");
  expect(run.stderr).toContain("1 of 4 layers sent");
  expect(world.engine.requests.filter((one) => one.includes("/get"))).toEqual([]); // no export

  const [before, after] = [await served(world, "v1"), await served(world, "v2")];
  const digests = (image: Served) => image.layers.map(({ digest }) => digest);
  expect(digests(after).slice(0, 3)).toEqual(digests(before));
  const last = after.layers[3];
  expect(last?.mediaType).toBe("application/vnd.oci.image.layer.v1.tar+gzip");
  expect((await contentOf(world, last?.digest ?? "")).toString()).toBe(rebuilt.layers[3]);
  expect(after.config.digest).toBe(world.engine.images[1]?.config.digest);
  expect(run.stdout).toBe(`localhost:5000/app:v2@${after.digest}\n`);
  expect(world.engine.images[1]?.names).toEqual(["app:v2"]); // no temporary tag stays
});

test("it is unchanged the next time", async () => {
  await using world = await startRebuilt();
  const first = await world.kpush(["app:v2"]);
  const second = await world.kpush(["app:v2"]);
  expect(second).toMatchObject({ code: 0, stdout: first.stdout });
  expect(second.stderr).toContain("unchanged");
});

test("a full disk is told in the registry's words, and not as the engine's 503", async () => {
  await using world = await startRebuilt();
  world.registry.onRequest = ({ method, url }, response) => {
    if (method !== "PUT" || !url?.includes("/uploads/")) return false;
    response.writeHead(507).end();
    return true;
  };
  const run = await world.kpush(["app:v2", "--compression", "gzip"]);
  expect(run.code).toBe(5);
  expect(run.stderr).not.toContain("503");
  expect(run.stderr).toContain("disk");
});

test.for([
  ["a small layer, which kpush has kept", "four".repeat(5000), /^PUT .*uploads/],
  ["a large one, which the engine sends once more", randomBytes(6 << 20), /^PATCH/],
] as const)("a connection that is lost in %s, is mended", async ([, last, pattern]) => {
  const image = { ...rebuilt, layers: [...layers, last] };
  await using world = await startRebuilt({ images: [packed, image] });
  let cuts = 0;
  world.registry.onRequest = ({ method = "", url = "", socket }) => {
    if (!pattern.test(`${method} ${url}`) || cuts > 0) return false;
    cuts += 1;
    socket.destroy();
    return true;
  };
  const run = await world.kpush(["-v", "app:v2", "--compression", "gzip"]);
  expect(cuts).toBe(1);
  expect(run).toMatchObject({ code: 0 });
  const content = await contentOf(world, (await served(world, "v2")).layers[3]?.digest ?? "");
  expect(content.equals(Buffer.from(last))).toBe(true);
  expect(world.engine.images[1]?.names).toEqual(["app:v2"]);
});

test("two images of one repository take turns, and each gets its own tag", async () => {
  const other = { ...rebuilt, names: ["app:v3"], layers: [...layers, "five".repeat(5000)] };
  await using world = await startRebuilt({ images: [packed, rebuilt, other] });
  const run = await world.kpush(["app:v2", "app:v3", "--compression", "gzip"]);
  expect(run).toMatchObject({ code: 0 });
  for (const [at, tag] of ["v2", "v3"].entries()) {
    const { digest, config } = await served(world, tag);
    expect(config.digest).toBe(world.engine.images[at + 1]?.config.digest);
    expect(run.stdout.split("\n")[at]).toBe(`localhost:5000/app:${tag}@${digest}`);
  }
});

test.for(["app/manifests", "app/blobs"])(
  "%s, beside app, is not taken for a path of it",
  async (name) => {
    const both = (of: typeof packed, tag: string) => [
      { ...of, names: [`app:${tag}`] },
      { ...of, names: [`${name}:${tag}`], layers: [...of.layers, "other".repeat(5000)] },
    ];
    await using world = await startWorld({
      kind: "containerd",
      images: [...both(packed, "v1"), ...both(rebuilt, "v2")],
    });
    const first = ["app:v1", `${name}:v1`, "--route", "direct", "--compression", "gzip"];
    expect(await world.kpush(first)).toMatchObject({ code: 0 });
    const run = await world.kpush(["app:v2", `${name}:v2`, "--compression", "gzip"]);
    expect(run).toMatchObject({ code: 0 });
    const { config } = await served(world, "v2");
    expect(config.digest).toBe(world.engine.images[2]?.config.digest);
  },
);
