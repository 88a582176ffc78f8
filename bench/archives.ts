import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { kubectlPath, skipUnless } from "../test/e2e/support/environment.ts";
import { writeImage } from "../test/e2e/support/images.ts";
import { compare, type Side } from "./measure.ts";
import { take, wanted } from "./results.ts";
import { storedBytes } from "./stored.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const program = here("../bin/kpush.js");
const layers = Array.from({ length: 5 }, () => 80 << 20);

/** Pushes of an archive of 400 MB, beside the same with crane, built from its Go module. */
export async function archives(distance: "near" | "far", config: NodeJS.ProcessEnv): Promise<void> {
  const names = ["cold 400 MB", "unchanged 400 MB"].map((what) => `${what} archive, ${distance}`);
  if (!names.some(wanted)) return;
  const crane = await buildCrane();
  if (skipUnless(crane, "the figures beside crane", "go could not build it")) return;
  const env = { ...config, KUBECTL: kubectlPath, CRANE: crane };
  const directory = await mkdtemp(join(tmpdir(), "kpush-bench-"));
  const file = (side: string) => join(directory, `${side}.tar`);
  const write = (side: string) => async (round: number) => {
    const seed = `${directory} ${distance} ${side} ${round}`;
    await writeImage(file(side), { name: "a:v1", content: "program", layers, seed });
  };
  const sides = (prepare: boolean): [Side, Side] => [
    {
      command: [process.execPath, program, "-q", "--name", "bench-a:kpush", file("kpush")],
      ...{ env, ...(prepare && { prepare: write("kpush") }) },
    },
    {
      command: [here("./by-hand-crane.sh"), file("crane"), "bench-a:crane"],
      ...{ env, ...(prepare && { prepare: write("crane") }) },
    },
  ];
  const [cold = "", unchanged = ""] = names;
  const near = distance === "near";
  try {
    const more = { warmUp: false, stored: storedBytes };
    take(await compare(cold, near ? 3 : 1, near ? 0.4 : 1.05, ...sides(true), more));
    take(await compare(unchanged, near ? 5 : 3, 0.25, ...sides(false)));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** @returns its path; undefined where there is no Go, or no way to the module */
async function buildCrane(): Promise<string | undefined> {
  const directory = here("./results/bin");
  const module = "github.com/google/go-containerregistry/cmd/crane@latest";
  const env = { ...process.env, GOBIN: directory };
  const built = await promisify(execFile)("go", ["install", module], { env }).catch(
    () => undefined,
  );
  return built && join(directory, "crane");
}
