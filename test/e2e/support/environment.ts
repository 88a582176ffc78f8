import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** A container engine under test. */
export interface TestEngine {
  name: string;
  /** As DOCKER_HOST. */
  host: string;
}

const { env } = process;

/** The cluster under test; the tests say so, and stop, where there is none. */
export const kubeconfig = env["KUBECONFIG"] ?? "";

/** `KPUSH_E2E_ENGINES=graph=unix:///…,containerd=…`, else the one that DOCKER_HOST names. */
export const engines: TestEngine[] =
  env["KPUSH_E2E_ENGINES"] !== undefined
    ? env["KPUSH_E2E_ENGINES"].split(",").map((pair) => {
        const [name = "", ...host] = pair.split("=");
        return { name, host: host.join("=") };
      })
    : [{ name: "DOCKER_HOST", host: env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock" }];

/** The script that starts the test cluster: tests that limit its link need it. Empty elsewhere. */
export const clusterScript = env["KPUSH_E2E_CLUSTER"] ?? "";

/** `$KUBECTL`, kubectl on the PATH, or the one beside the kubeconfig of the test cluster. */
export const kubectlPath: string | undefined = [
  env["KUBECTL"],
  ...(env["PATH"] ?? "").split(delimiter).map((directory) => join(directory, "kubectl")),
  join(dirname(kubeconfig), "bin", "kubectl"),
].find((path) => path !== undefined && isExecutable(path));

/** Where a tool is: in the directory that KPUSH_E2E_TOOLS names, or in the PATH. */
export function toolPath(name: string): string | undefined {
  const directories = [env["KPUSH_E2E_TOOLS"] ?? "", ...(env["PATH"] ?? "").split(delimiter)];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

/** Says loudly, once, why a test does not run here. */
export function skipUnless(condition: unknown, what: string, why: string): boolean {
  if (condition) return false;
  process.stderr.write(`\n!!! SKIPPED: ${what}: ${why}\n`);
  return true;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
