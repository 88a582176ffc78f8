import { spawn } from "node:child_process";
import { kubeconfig, kubectlPath } from "./environment.ts";

/** `http://127.0.0.1:PORT` of a registry, by kubectl's own port-forward: what kpush did is looked at without it. */
export interface Forward extends AsyncDisposable {
  url: string;
}

export async function forwardTo(namespace: string, resource: string): Promise<Forward> {
  const args = ["-n", namespace, "port-forward", "--address", "127.0.0.1", resource, ":5000"];
  const child = spawn(kubectlPath ?? "kubectl", args, {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let said = "";
  const port = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => reject(new Error(`kubectl port-forward ended: ${said}`)));
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const port = /127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (port !== undefined) resolve(port);
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}
