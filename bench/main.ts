import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  clusterScript,
  engines,
  kubeconfig,
  kubectlPath,
  skipUnless,
} from "../test/e2e/support/environment.ts";
import { load, remove } from "../test/e2e/support/engine.ts";
import { kpush } from "../test/e2e/support/kpush.ts";
import { oldRegistry, registryIn } from "../test/e2e/support/registry.ts";
import { compare, figure, median, type Figure, type Side } from "./measure.ts";
import { makeBlob, uploadRate, type Login } from "./upload.ts";

const MiB = 1 << 20;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const program = here("../bin/kpush.js");
const byHand = here("./by-hand.sh");
const only = process.argv.slice(2); // words: only the figures whose name has one of them
const wanted = (name: string) => only.length === 0 || only.some((word) => name.includes(word));
const figures: Figure[] = [];
const memory: Record<string, number> = {};

if (kubeconfig === "" || kubectlPath === undefined)
  throw new Error("set KUBECONFIG (and KUBECTL) to the cluster to measure on");
const dockers = engines.filter((engine) => engine.name !== "podman");

await startUp();
await using old = await oldRegistry();
for (const engine of dockers) {
  await pushes("near", engine, { KUBECONFIG: kubeconfig });
  if (
    skipUnless(
      existsSync(clusterScript),
      "the far figures",
      "KPUSH_E2E_CLUSTER names no script with `wan`",
    )
  )
    continue;
  const { stdout } = await promisify(execFile)(clusterScript, ["wan", "100", "40"]);
  try {
    await pushes("far", engine, { KUBECONFIG: stdout.trim() });
  } finally {
    await promisify(execFile)(clusterScript, ["wan", "off"]);
  }
}
await uploads();
await report();

async function startUp(): Promise<void> {
  if (!wanted("--help")) return;
  figures.push(
    await compare(
      "kpush --help / node -e 0",
      15,
      1.9,
      { command: [process.execPath, program, "--help"] },
      { command: [process.execPath, "-e", "0"] },
    ),
  );
}

async function pushes(
  distance: "near" | "far",
  engine: { name: string; host: string },
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
    figures.push(await compare(name, rounds, limit, ...sides(image, prepare)));
    show(figures.at(-1));
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
          memory[`cold 400 MB, ${route} route, ${engine.name}`] = Math.round(run.peakMemory);
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

async function uploads(): Promise<void> {
  if (!wanted("upload")) return;
  const namespace = "kpush-bench";
  await using registry = await registryIn(namespace, "registry:3");
  for (const connections of [1, 5]) {
    const rates = { kpush: [] as number[], kubectl: [] as number[] };
    for (let round = 0; round < 5; round++) {
      for (const side of round % 2 === 0
        ? (["kpush", "kubectl"] as const)
        : (["kubectl", "kpush"] as const)) {
        await using way = await forward(side, namespace);
        const blobs = Array.from({ length: connections }, () =>
          makeBlob((400 / connections) * MiB),
        );
        rates[side].push(await uploadRate(way.login, blobs));
      }
    }
    const ratio = median(
      rates.kpush.map((rate, index) => rate / (rates.kubectl[index] ?? Number.NaN)),
    );
    figures.push(
      figure(
        `upload of 400 MB, ${connections} connection(s), MiB/s`,
        ratio,
        median(rates.kpush),
        median(rates.kubectl),
        1.0,
        ">=",
      ),
    );
    show(figures.at(-1));
  }
}

async function forward(
  side: "kpush" | "kubectl",
  namespace: string,
): Promise<AsyncDisposable & { login: Login }> {
  const child =
    side === "kpush"
      ? spawn(process.execPath, [program, "tunnel", "-q", "-n", namespace], {
          stdio: ["ignore", "pipe", "inherit"],
        })
      : spawn(
          kubectlPath ?? "",
          ["port-forward", "-n", namespace, "rc/kube-registry-v0", ":5000"],
          { stdio: ["ignore", "pipe", "inherit"] },
        );
  // It is read to the end: kubectl writes a line for each connection, and ends where it cannot.
  let output = "";
  const login = await new Promise<Login>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      output += String(chunk);
      const found = loginIn(output);
      if (found) resolve(found);
    });
    child.on("close", () => reject(new Error(`${side} opened no port: ${output}`)));
  });
  return {
    login,
    async [Symbol.asyncDispose]() {
      const closed = once(child, "close");
      child.kill("SIGTERM");
      await closed;
    },
  };
}

/** What `kpush tunnel` or `kubectl port-forward` print once they listen. */
function loginIn(output: string): Login | undefined {
  const [, login, address] = /http:\/\/(.+)@(127\.0\.0\.1:\d+)\n/.exec(output) ?? [];
  if (login !== undefined && address !== undefined)
    return { address, authorization: `Basic ${Buffer.from(login).toString("base64")}` };
  const port = /127\.0\.0\.1:(\d+) ->/.exec(output)?.[1];
  return port === undefined ? undefined : { address: `127.0.0.1:${port}` };
}

function show(one: Figure | undefined): void {
  if (!one) return;
  const digits = (value: number) => value.toFixed(value < 10 ? 3 : 1);
  console.log(
    `${one.ok ? "ok  " : "MISS"} ${one.name.padEnd(48)} ${one.ratio.toFixed(2)} ${one.sense} ${one.limit.toFixed(2)}   kpush ${digits(one.kpush)}, by hand ${digits(one.byHand)}`,
  );
}

async function report(): Promise<void> {
  console.log("\nmedian ratios, kpush / by hand");
  figures.forEach(show);
  for (const [name, megabytes] of Object.entries(memory))
    console.log(`     peak memory of kpush: ${name}: ${megabytes} MiB`);
  const directory = here("./results");
  await mkdir(directory, { recursive: true });
  const file = `${directory}/latest.json`;
  await writeFile(
    file,
    JSON.stringify(
      { date: new Date().toISOString(), node: process.version, figures, memory },
      null,
      2,
    ),
  );
  if (figures.some((one) => !one.ok)) process.exitCode = 1;
}
