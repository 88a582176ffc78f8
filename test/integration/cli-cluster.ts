import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import { writeDemoImage } from "../../src/demo/demo-image.ts";
import { runningPod } from "../../src/demo/pods.ts";
import { startRegistry, type Registry } from "../../src/demo/registry.ts";

/** A cluster with a registry, and a user's directory with a kubeconfig and an image archive. */
export interface CliCluster extends AsyncDisposable {
  directory: string;
  kubeconfig: string;
  /** Archive of `hello:v1`, three layers. */
  archive: string;
  registry: Registry;
  apiServer: ApiServer;
}

/** Starts all of it on sockets of its own. */
export async function cliCluster(): Promise<CliCluster> {
  const directory = await mkdtemp(join(tmpdir(), "kpush-cli-"));
  const registry = await startRegistry({ directory });
  const pod = runningPod({
    namespace: "kpush-system",
    name: "kpush-registry-7d9fc",
    labels: { "app.kubernetes.io/name": "kpush-registry" },
  });
  const { port } = registry;
  const apiServer = await startApiServer({
    context: "test",
    pods: [pod],
    dial: () => Promise.resolve(connect({ host: "127.0.0.1", port, allowHalfOpen: true })),
    closeDelay: 1,
  });
  const kubeconfig = join(directory, "kubeconfig");
  const archive = join(directory, "hello.tar");
  await writeFile(kubeconfig, apiServer.kubeconfig());
  await writeDemoImage({ path: archive, name: "hello:v1", layerBytes: 1000 });
  return {
    ...{ directory, kubeconfig, archive, registry, apiServer },
    async [Symbol.asyncDispose]() {
      await apiServer[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
