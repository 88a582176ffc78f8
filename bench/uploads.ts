import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { kubectlPath } from "../test/e2e/support/environment.ts";
import { registryIn } from "../test/e2e/support/registry.ts";
import { figure, median } from "./measure.ts";
import { take, wanted } from "./results.ts";
import { makeBlob, uploadRate, type Login } from "./upload.ts";

const MiB = 1 << 20;
const program = fileURLToPath(new URL("../bin/kpush.js", import.meta.url));

/** A plain blob through the tunnel, beside the same through kubectl's port-forward. */
export async function uploads(): Promise<void> {
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
    take(
      figure(
        `upload of 400 MB, ${connections} connection(s), MiB/s`,
        ratio,
        median(rates.kpush),
        median(rates.kubectl),
        1.0,
        ">=",
      ),
    );
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
