import { fileURLToPath } from "node:url";
import { kubectlPath, type TestEngine } from "../test/e2e/support/environment.ts";
import { load, remove } from "../test/e2e/support/engine.ts";
import { kpush } from "../test/e2e/support/kpush.ts";
import { compare, type Side } from "./measure.ts";
import { take, takeMemory, wanted } from "./results.ts";
import { storedBytes } from "./stored.ts";

const MiB = 1 << 20;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const program = here("../bin/kpush.js");
const byHand = here("./by-hand.sh");

type Distance = "near" | "far";
interface Case {
  what: string;
  layers: number[];
  /** The same for all engines, or for the graph store and the containerd store. */
  limits: Record<Distance, number | [graph: number, containerd: number]>;
  rounds: Record<Distance, number>;
  /** What is new each time: nothing, the last layer, or all. */
  changes: "nothing" | "last layer" | "all";
  options?: string[];
}

const layers = (count: number, size: number) => Array.from({ length: count }, () => size * MiB);
const cases: Case[] = [
  {
    what: "unchanged image",
    layers: [...layers(4, 5), 4 * MiB],
    limits: { near: 0.85, far: 0.35 },
    rounds: { near: 15, far: 7 },
    changes: "nothing",
  },
  {
    what: "one new 4 MB layer on 20 MB",
    layers: [...layers(4, 5), 4 * MiB],
    limits: { near: 1.0, far: 0.6 },
    rounds: { near: 7, far: 5 },
    changes: "last layer",
  },
  {
    what: "one new 4 MB layer on 400 MB",
    layers: [...layers(5, 79), 4 * MiB],
    limits: { near: 1.0, far: 0.6 },
    rounds: { near: 3, far: 2 },
    changes: "last layer",
  },
  {
    what: "cold 400 MB",
    layers: layers(5, 80),
    limits: { near: 1.0, far: [1.05, 0.6] },
    rounds: { near: 3, far: 1 },
    changes: "all",
  },
  {
    what: "cold 400 MB, direct route",
    layers: layers(5, 80),
    limits: { near: [0.5, 1.0], far: [1.05, 0.6] },
    rounds: { near: 3, far: 1 },
    changes: "all",
    options: ["--route", "direct"],
  },
];

/** Pushes from one engine, beside the same by hand. */
export async function pushes(
  distance: Distance,
  engine: TestEngine,
  config: NodeJS.ProcessEnv,
): Promise<void> {
  for (const one of cases) await push(one, distance, engine, config);
  if (distance === "near" && wanted("memory")) await memory(engine);
}

async function push(
  { what, layers: sizes, limits, rounds, changes, options = [] }: Case,
  distance: Distance,
  engine: TestEngine,
  config: NodeJS.ProcessEnv,
): Promise<void> {
  const name = `${what}, ${distance}, ${engine.name}`;
  if (!wanted(name)) return;
  const env = { ...config, DOCKER_HOST: engine.host, KUBECTL: kubectlPath };
  const stamp = Date.now().toString(36);
  const nameOf = (side: string) => `kpush-bench:${side}`;
  const prepare = (side: string) => async (round: number) => {
    const again = changes === "nothing" && round > 0;
    const seed = changes === "all" ? `${stamp} ${side} ${round}` : stamp;
    const last = changes === "last layer" ? `${side} ${round}` : "";
    const image = { name: nameOf(side), content: "program", layers: sizes, seed, last } as const;
    if (!again) await load(engine, image);
  };
  const kpushes: Side = {
    ...{ command: [process.execPath, program, "-q", ...options, nameOf("kpush")], env },
    prepare: prepare("kpush"),
  };
  const hand: Side = { command: [byHand, nameOf("hand")], env, prepare: prepare("hand") };
  const limit = limits[distance];
  const most = typeof limit === "number" ? limit : limit[engine.name === "graph" ? 0 : 1];
  const more = { warmUp: changes !== "all", ...(changes !== "nothing" && { stored: storedBytes }) };
  try {
    take(await compare(name, rounds[distance], most, kpushes, hand, more));
  } finally {
    for (const side of ["kpush", "hand"])
      for (const one of [nameOf(side), `localhost:5000/${nameOf(side)}`]) await remove(engine, one);
  }
}

/** Peak memory of a push of 400 MB, by each route. */
async function memory(engine: TestEngine): Promise<void> {
  const image = "kpush-bench:memory";
  const seed = `${Date.now()} memory`;
  await load(engine, { name: image, content: "program", layers: layers(5, 80), seed });
  try {
    for (const route of ["daemon", "direct"]) {
      const options = ["--route", route, "--name", `kpush-bench-memory:${route}`];
      const run = await kpush(["-q", ...options, image], { host: engine.host });
      if (run.code !== 0) throw new Error(run.stderr);
      takeMemory(`cold 400 MB, ${route} route, ${engine.name}`, run.peakMemory);
    }
  } finally {
    await remove(engine, image);
  }
}
