import { fileURLToPath } from "node:url";
import { kubectlPath, type TestEngine } from "../test/e2e/support/environment.ts";
import { load, remove } from "../test/e2e/support/engine.ts";
import { kpush } from "../test/e2e/support/kpush.ts";
import { compare, type Side } from "./measure.ts";
import { take, takeMemory, wanted } from "./results.ts";

const MiB = 1 << 20;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const program = here("../bin/kpush.js");
const byHand = here("./by-hand.sh");

/** Pushes from one engine, beside the same by hand. */
export async function pushes(
  distance: "near" | "far",
  engine: TestEngine,
  config: NodeJS.ProcessEnv,
): Promise<void> {
  const env = { ...config, DOCKER_HOST: engine.host, KUBECTL: kubectlPath };
  type Prepare = (side: string, round: number) => Promise<void>;
  const side = (name: string, command: string[], prepare: Prepare | undefined): Side => ({
    ...{ command, env },
    ...(prepare ? { prepare: (round: number) => prepare(name, round) } : {}),
  });
  const sides = (image: string, prepare?: Prepare): [Side, Side] => [
    side("kpush", [process.execPath, program, "-q", `${image}-kpush`], prepare),
    side("hand", [byHand, `${image}-hand`], prepare),
  ];
  const measure = async (
    what: string,
    rounds: number,
    limit: number,
    image: string,
    prepare?: (side: string, round: number) => Promise<void>,
  ) => {
    const name = `${what}, ${distance}, ${engine.name}`;
    if (!wanted(name)) return;
    take(await compare(name, rounds, limit, ...sides(image, prepare)));
  };
  const loadBoth = async (
    image: string,
    options: { layers: number[]; seed: string; last?: string },
    only?: string,
  ) => {
    for (const side of ["kpush", "hand"]) {
      if (only === undefined || only === side)
        await load(engine, { name: `${image}-${side}`, content: "program", ...options });
    }
  };
  const stamp = Date.now().toString(36);
  const base = Array.from({ length: 4 }, () => 5 * MiB);
  try {
    await loadBoth("kpush-bench:v1", { layers: [...base, 4 * MiB], seed: stamp });
    await measure(
      "unchanged image",
      distance === "near" ? 15 : 7,
      distance === "near" ? 0.85 : 0.35,
      "kpush-bench:v1",
    );
    await measure(
      "one new 4 MB layer on 20 MB",
      distance === "near" ? 7 : 5,
      distance === "near" ? 1.0 : 0.6,
      "kpush-bench:v1",
      async (side, round) => {
        await loadBoth(
          "kpush-bench:v1",
          { layers: [...base, 4 * MiB], seed: stamp, last: `${side} ${round}` },
          side,
        );
      },
    );
    if (distance === "near") {
      await measure("cold 400 MB", 3, 1.0, "kpush-bench:cold", async (side, round) => {
        await loadBoth(
          "kpush-bench:cold",
          { layers: Array.from({ length: 5 }, () => 80 * MiB), seed: `${stamp} ${side} ${round}` },
          side,
        );
      });
      if (wanted("memory")) {
        await loadBoth(
          "kpush-bench:cold",
          { layers: Array.from({ length: 5 }, () => 80 * MiB), seed: `${stamp} memory` },
          "kpush",
        );
        for (const route of ["daemon", "direct"]) {
          const run = await kpush(
            [
              "-q",
              "--route",
              route,
              "--name",
              `kpush-bench-memory:${route}`,
              "kpush-bench:cold-kpush",
            ],
            { host: engine.host },
          );
          if (run.code !== 0) throw new Error(run.stderr);
          takeMemory(`cold 400 MB, ${route} route, ${engine.name}`, run.peakMemory);
        }
      }
    }
  } finally {
    for (const tag of ["v1", "cold"])
      for (const side of ["kpush", "hand"]) {
        await remove(engine, `kpush-bench:${tag}-${side}`);
        for (const port of ["5000"])
          await remove(engine, `localhost:${port}/kpush-bench:${tag}-${side}`);
      }
  }
}
