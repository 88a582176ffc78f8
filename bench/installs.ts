import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  clusterScript,
  kubeconfig,
  kubectlPath,
  skipUnless,
} from "../test/e2e/support/environment.ts";
import { kpush } from "../test/e2e/support/kpush.ts";
import { kubectl } from "../test/e2e/support/kubectl.ts";
import { compare, figure, median, time } from "./measure.ts";
import { take, wanted } from "./results.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const install = [process.execPath, here("../bin/kpush.js"), "install", "-q"];

/** The old addon's own manifests where they are at hand; they have no probes to wait for. */
const oldAddon =
  [join(dirname(clusterScript), "../byhand/registry.yaml")].find(existsSync) ??
  here("../docs/manifests/old-registry.yaml");

/**
 * An installation on an empty cluster, beside the old way; and a second one that changes nothing.
 *
 * @param far - runs a measurement on the same cluster at a distance
 */
export async function installs(
  far: (measure: (kubeconfig: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (!wanted("install")) return;
  const why = "KPUSH_E2E_CLUSTER names no script that runs commands on nodes";
  if (!skipUnless(existsSync(clusterScript), "the install by hand", why)) await fromNothing();
  await kpush(["install", "-q"]);
  try {
    await unchanged("near", kubeconfig, 1.5);
    await far((config) => unchanged("far", config, 3));
  } finally {
    await removeOurs();
  }
}

async function fromNothing(): Promise<void> {
  const env = { KUBECONFIG: kubeconfig, KUBECTL: kubectlPath, CLUSTER: clusterScript };
  const clear = async () => {
    await removeOurs();
    await kubectl(["delete", "--ignore-not-found", "--wait=true", "-f", oldAddon]);
    await gone("pods", "-n", "kube-system", "-l", "k8s-app in (kube-registry,kube-registry-proxy)");
  };
  await compare(
    "install on an empty cluster",
    5,
    1.5,
    { command: install, env, prepare: clear },
    { command: [here("./by-hand-install.sh"), oldAddon], env, prepare: clear },
  )
    .then(take)
    .finally(clear);
}

/** A second run, against a limit in seconds. */
async function unchanged(distance: string, config: string, limit: number): Promise<void> {
  const env = { KUBECONFIG: config };
  const seconds: number[] = [];
  for (let round = 0; round < 5; round++) seconds.push(await time(install, env));
  const taken = median(seconds);
  take(figure(`second install, seconds, ${distance}`, taken, taken, Number.NaN, limit, "<="));
}

async function removeOurs(): Promise<void> {
  const { code, stderr } = await kpush(["uninstall", "--delete-data", "-y"]);
  if (code !== 0) throw new Error(stderr);
}

async function gone(...what: string[]): Promise<void> {
  await kubectl(["wait", "--for=delete", "--timeout=60s", ...what]);
}
