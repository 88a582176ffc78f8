import { spawn } from "node:child_process";
import { kubeconfig, kubectlPath } from "./environment.ts";

/** Runs kubectl on the cluster under test; resolves with its stdout. */
export async function kubectl(args: string[], input?: string): Promise<string> {
  if (kubectlPath === undefined)
    throw new Error("the e2e tests need kubectl: set KUBECTL, or put it on the PATH");
  const child = spawn(kubectlPath, args, { env: { ...process.env, KUBECONFIG: kubeconfig } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.on("error", reject).on("close", resolve),
  );
  if (code === 0) return stdout;
  throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr}`);
}

/** Applies manifests, given as objects or YAML text. */
export async function apply(manifests: string | object[]): Promise<void> {
  const text =
    typeof manifests === "string"
      ? manifests
      : JSON.stringify({ apiVersion: "v1", kind: "List", items: manifests });
  await kubectl(["apply", "-f", "-"], text);
}

/** The names of all nodes. */
async function nodeNames(): Promise<string[]> {
  const text = await kubectl(["get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"]);
  return text.split(" ").filter((name) => name !== "");
}

/** Runs a pod of this image on each node, waits until all of them are Running, and deletes them. */
export async function runOnEveryNode(image: string, namespace: string): Promise<void> {
  const nodes = await nodeNames();
  const pods = nodes.map((node, index) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `run-${index}-${Date.now().toString(36)}`, namespace },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "app", image, imagePullPolicy: "Always" }],
    },
  }));
  await apply(pods);
  const names = pods.map((pod) => `pod/${pod.metadata.name}`);
  try {
    await kubectl([
      "-n",
      namespace,
      "wait",
      "--for=jsonpath={.status.phase}=Running",
      "--timeout=90s",
      ...names,
    ]);
  } catch (error) {
    const described = await kubectl(["-n", namespace, "describe", ...names]);
    throw new Error(`${String(error)}\n${described.slice(-3000)}`, { cause: error });
  } finally {
    await kubectl([
      "-n",
      namespace,
      "delete",
      "--wait=false",
      "--grace-period=0",
      "--force",
      ...names,
    ]);
  }
}
