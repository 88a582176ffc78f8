import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Io } from "../../src/cli/command.ts";
import { main } from "../../src/cli/main.ts";
import type { Surroundings } from "../../src/cluster/types.ts";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import { runningPod } from "../../src/demo/pods.ts";
import { startRegistry, type Registry } from "../../src/demo/registry.ts";
import { fakeEngine, type FakeEngine, type FakeEngineOptions } from "./engine.ts";

/** What one run of the command line came to. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A cluster with a registry, an engine and a home directory, on sockets and files of their own. */
export interface World extends AsyncDisposable {
  api: ApiServer;
  registry: Registry;
  engine: FakeEngine;
  /** Home directory; `kubeconfig` is a file in it. */
  home: string;
  kubeconfig: string;
  env: Record<string, string>;
  /** Runs `kpush ARGS…`; `signal` interrupts it. Without `stdin` it is a terminal. */
  kpush(args: string[], signal?: AbortSignal, stdin?: Readable): Promise<Outcome>;
}

export const registryLabels = { "app.kubernetes.io/name": "kpush-registry" };

/** An API server and the registry that its pod stands for. */
export interface Cluster extends AsyncDisposable {
  api: ApiServer;
  registry: Registry;
}

/** @param context - its name in the API server's kubeconfig */
export async function startCluster(context: string, pod = "kpush-registry-1"): Promise<Cluster> {
  const registry = await startRegistry();
  const api = await startApiServer({
    dial: () => Promise.resolve(connect(registry.port, "127.0.0.1")),
    pods: [runningPod({ namespace: "kpush-system", name: pod, labels: registryLabels })],
    context,
    closeDelay: 5,
  });
  return {
    ...{ api, registry },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

/** Starts all of it; `dial` may bring something else in the registry's place. */
export async function startWorld(engineOptions: FakeEngineOptions = {}): Promise<World> {
  const home = await mkdtemp(join(tmpdir(), "kpush-test-"));
  const engine = await fakeEngine(engineOptions);
  const cluster = await startCluster("test");
  const { api, registry } = cluster;
  const kubeconfig = join(home, "kubeconfig");
  await writeFile(kubeconfig, api.kubeconfig());
  const env: Record<string, string> = { KUBECONFIG: kubeconfig, DOCKER_HOST: engine.host };
  return {
    ...{ api, registry, engine, home, kubeconfig, env },
    async kpush(args, signal = new AbortController().signal, stdin) {
      const output = { stdout: "", stderr: "" };
      const stream = (name: keyof typeof output) => ({
        isTTY: false,
        write(text: string | Uint8Array) {
          output[name] += typeof text === "string" ? text : Buffer.from(text).toString();
          return true;
        },
      });
      const surroundings: Surroundings = {
        ...{ env, home, cwd: home, platform: "linux" },
        ...{ pluginStdin: "ignore", pluginStderr: () => undefined },
        stdin: stdin && (() => stdin),
      };
      const io = { stdout: stream("stdout"), stderr: stream("stderr") } as unknown as Io;
      const code = await main(args, io, surroundings, signal);
      return { code, ...output };
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}
