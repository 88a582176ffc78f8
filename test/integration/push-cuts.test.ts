import { createCipheriv } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cuttingProxy, endsOfCut, planOf, randomOf, type CutPlan } from "../fakes/cuts.ts";
import { heldImage } from "../fakes/held.ts";
import { graphArchive, imageOf, streamOf, tarOf } from "../fakes/image-archives.ts";
import { Layout, named } from "../fakes/oci-layout.ts";
import { startWorld, type World } from "../fakes/world.ts";

const KiB = 1024;

/** What is pushed, and how. */
interface Scene {
  /** Of an engine; else an archive. */
  kind?: "graph" | "containerd" | "podman";
  archive?: "docker" | "oci" | "stdin";
  /** A layer lies in the registry packed, so that the engine is given a facade. */
  packed?: true;
  args: string[];
}

const scenes: [name: string, scene: Scene][] = [
  ...(["graph", "containerd", "podman"] as const).flatMap((kind): [string, Scene][] => [
    [`${kind} by the daemon route`, { kind, args: ["--route", "daemon"] }],
    [`${kind} by the direct route`, { kind, args: ["--route", "direct"] }],
  ]),
  [
    "containerd by a facade that packs",
    { kind: "containerd", packed: true, args: ["--compression", "gzip"] },
  ],
  ["an archive of Docker, packed", { archive: "docker", args: [] }],
  ["an archive of Docker, as it is", { archive: "docker", args: ["--compression", "none"] }],
  ["a layout", { archive: "oci", args: [] }],
  ["standard input", { archive: "stdin", args: [] }],
];

/** Where the link is: before the API server, or between it and the registry. */
const places = ["cluster", "registry"] as const;

/** Two seeded layers, of which one goes through memory and one through a file. */
function layersOf(seed: number): Buffer[] {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
  const noise = (size: number) => cipher.update(Buffer.alloc(size));
  return [noise(90 * KiB), Buffer.concat([noise(1100 * KiB), Buffer.alloc(64 * KiB, "kpush ")])];
}

/** All that one seed stands for; the promise is of what the registry must hold in the end. */
async function open(seed: number, { kind, archive, packed, args }: Scene) {
  const image = imageOf(layersOf(seed), { seed });
  const world = await startWorld({
    kind: kind ?? "graph",
    images: [
      { names: ["app:v1"], layers: image.layers, cmd: [`${seed}`], size: packed ? 400e6 : 1e6 },
      { names: ["app:base"], layers: image.layers.slice(0, 1) },
    ],
  });
  if (packed) await world.kpush(["app:base", "--route", "direct", ...args]);
  const layout = new Layout();
  const entries =
    archive === "oci" ? layout.entries([named(layout.image(image))]) : graphArchive(image);
  const bytes = await tarOf(entries);
  await writeFile(join(world.home, "app.tar"), bytes);
  const source = kind ? "app:v1" : archive === "stdin" ? "-" : "./app.tar";
  const push = async (kubeconfig: string) => {
    const stdin = archive === "stdin" ? streamOf(bytes) : undefined;
    const run = await world.kpush(
      ["--kubeconfig", kubeconfig, "--json", ...args, source],
      undefined,
      stdin,
    );
    const { images, error } = JSON.parse(run.stdout) as {
      images?: { digest?: string; error?: { code: string } }[];
      error?: { code: string };
    };
    return { ...run, digest: images?.[0]?.digest, error: (error ?? images?.[0]?.error)?.code };
  };
  const id = kind ? world.engine.images[0]?.config.digest : image.id;
  return { world, push, right: { id, diffIds: image.diffIds } };
}

/** A link with faults, and the kubeconfig that leads over it. */
async function cut(world: World, place: (typeof places)[number], plan: CutPlan) {
  const { api, registry, home } = world;
  const link = await cuttingProxy({ port: place === "cluster" ? api.port : registry.port }, plan);
  const kubeconfig = join(home, "cut");
  if (place === "cluster")
    await writeFile(kubeconfig, api.kubeconfig().replace(`:${api.port}`, `:${link.port}`));
  else {
    await writeFile(kubeconfig, api.kubeconfig());
    api.dial = () => Promise.resolve(connect(link.port, "127.0.0.1"));
  }
  return { link, kubeconfig };
}

const seeds = Array.from({ length: 16 }, (_, at) => at + 1);

describe.each(scenes)("%s", (_name, scene) => {
  test.concurrent.for(seeds)("ends right or says so, cut by seed %d", async (seed) => {
    const random = randomOf(seed);
    const place = places[seed % 2] ?? "cluster";
    const { world, push, right } = await open(seed, scene);
    await using _world = world;
    // Half of the tags name another image before.
    const before = random() < 0.5 ? await tagged(world) : undefined;
    const { link, kubeconfig } = await cut(
      world,
      place,
      planOf(seed, { up: 1100 * KiB, down: 2000 }),
    );
    await using _link = link;

    const run = await push(kubeconfig);
    expect(link.made).toBeGreaterThan(0);
    const held = await heldImage(world.registry.url, "app", "v1");
    if (run.code === 0) {
      expect(held).toEqual({ ...right, digest: run.digest });
      return;
    }
    const byEngine = scene.args.includes("daemon") || scene.packed;
    expect(endsOfCut(byEngine === true)).toContainEqual({ exit: run.code, code: run.error });
    if (held?.digest !== before) expect(held).toMatchObject(right);
    link.mend();
    expect(await push(kubeconfig)).toMatchObject({ code: 0 });
    expect(await heldImage(world.registry.url, "app", "v1")).toMatchObject(right);
  });
});

/** Has `app:v1` name an image without layers. */
async function tagged(world: World): Promise<string> {
  const image = imageOf([], { of: "before" });
  await writeFile(join(world.home, "before.tar"), await tarOf(graphArchive(image)));
  const run = await world.kpush(["./before.tar"]);
  return run.stdout.trim().split("@")[1] ?? "";
}
