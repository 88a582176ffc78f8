import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  clusterScript,
  engines,
  kubeconfig,
  kubectlPath,
  skipUnless,
} from "../test/e2e/support/environment.ts";
import { oldRegistry } from "../test/e2e/support/registry.ts";
import { archives } from "./archives.ts";
import { installs } from "./installs.ts";
import { compare } from "./measure.ts";
import { pushes } from "./pushes.ts";
import { report, take, wanted } from "./results.ts";
import { uploads } from "./uploads.ts";

if (kubeconfig === "" || kubectlPath === undefined)
  throw new Error("set KUBECONFIG (and KUBECTL) to the cluster to measure on");

const program = fileURLToPath(new URL("../bin/kpush.js", import.meta.url));

await startUp();
await installs(far);
{
  await using _old = await oldRegistry();
  for (const engine of engines.filter(({ name }) => name !== "podman")) {
    await pushes("near", engine, { KUBECONFIG: kubeconfig });
    await far((config) => pushes("far", engine, { KUBECONFIG: config }));
  }
  await archives("near", { KUBECONFIG: kubeconfig });
  await far((config) => archives("far", { KUBECONFIG: config }));
}
await uploads();
await report();

async function startUp(): Promise<void> {
  if (!wanted("--help")) return;
  take(
    await compare(
      "kpush --help / node -e 0",
      15,
      1.9,
      { command: [process.execPath, program, "--help"] },
      { command: [process.execPath, "-e", "0"] },
    ),
  );
}

/** Runs a measurement on the same cluster at a distance: 100 ms and 40 Mbit/s. */
async function far(measure: (kubeconfig: string) => Promise<void>): Promise<void> {
  const why = "KPUSH_E2E_CLUSTER names no script with `wan`";
  if (skipUnless(existsSync(clusterScript), "the far figures", why)) return;
  const { stdout } = await promisify(execFile)(clusterScript, ["wan", "100", "40"]);
  try {
    await measure(stdout.trim());
  } finally {
    await promisify(execFile)(clusterScript, ["wan", "off"]);
  }
}
