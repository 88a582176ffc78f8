import { writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { KpushError } from "../errors.ts";
import { count, formatBytes, formatDuration } from "../output/format.ts";
import type { Context } from "../push/types.ts";
import { startApiServer, type ApiServer } from "./api-server.ts";
import { writeDemoImage } from "./demo-image.ts";
import { privateDirectory, pullBack, pushOne } from "./demo-steps.ts";
import type { DemoContext, Pull } from "./demo-steps.ts";
import { runningPod } from "./pods.ts";
import { startRegistry, type Registry } from "./registry.ts";

/**
 * Tells the story of a push on a cluster that lives in this process: an API server with TLS and
 * WebSocket port-forward, and a registry. Needs no Docker, no cluster and no rights; leaves nothing.
 *
 * @throws KpushError what a push throws, and `VERIFY_FAILED` where the story does not hold
 */
export async function runDemo(context: DemoContext): Promise<void> {
  const began = performance.now();
  const { write } = context;
  write("kpush demo: all of this happens inside one process, and nothing of it stays.");
  await tellStory(context);
  write("");
  write(
    `Done in ${formatDuration(performance.now() - began)}; the servers and their files are gone.`,
  );
  write("On your own cluster: kpush demo --cluster, or straight away: kpush IMAGE");
}

async function tellStory({ surroundings, report, signal, write }: DemoContext): Promise<void> {
  await using directory = await privateDirectory();
  await using registry = await startRegistry({ directory: directory.path });
  await using apiServer = await startDemoCluster(registry);
  const [pod] = apiServer.pods;
  write("");
  write("1. A registry and a Kubernetes API server start.");
  write(`   API server  ${apiServer.url}: TLS, a token, port-forward over WebSockets`);
  write(`   registry    pod ${pod?.metadata.namespace}/${pod?.metadata.name}, port 5000`);

  const kubeconfig = join(directory.path, "kubeconfig");
  const archive = join(directory.path, "hello.tar");
  await writeFile(kubeconfig, apiServer.kubeconfig(), { mode: 0o600 });
  const image = await writeDemoImage({ path: archive, name: "hello:v1" });
  write("");
  write("2. A small image is made, as `docker save` writes one.");
  write(
    `   hello.tar   hello:v1, ${count(image.diffIds.length, "layer")}, ${formatBytes(image.size)}`,
  );

  // The user's own settings, proxies and state have no place in this.
  const inside: Context = {
    surroundings: { ...surroundings, env: {}, home: directory.path, cwd: directory.path },
    report,
    signal,
  };
  const command = { images: ["./hello.tar"], kubeconfig };
  write("");
  write("3. kpush finds the registry, opens a tunnel to it, and sends what is missing.");
  write("$ kpush ./hello.tar");
  const pushed = await pushOne(command, inside);
  write(pushed.pullRef);

  write("");
  write("4. A node pulls it by that name.");
  await pullBack(pullFrom(registry, "hello"), pushed, write);

  write("");
  write("5. The same again: the registry has it already.");
  write("$ kpush ./hello.tar");
  const before = registry.requests.length;
  const again = await pushOne(command, inside);
  const uploads = registry.requests.slice(before).filter((line) => !/^(GET|HEAD) /.test(line));
  if (again.digest !== pushed.digest || uploads.length > 0) {
    throw new KpushError(
      "VERIFY_FAILED",
      `an unchanged image was sent again: ${uploads.join(", ")}`,
    );
  }
  write(again.pullRef);
  write(`   nothing was sent, in ${Math.round(again.milliseconds)} ms`);
}

function startDemoCluster(registry: Registry): Promise<ApiServer> {
  const pod = runningPod({
    namespace: "kpush-system",
    name: "kpush-registry-demo",
    labels: { "app.kubernetes.io/name": "kpush-registry" },
  });
  return startApiServer({
    pods: [pod],
    dial: () =>
      Promise.resolve(connect({ host: "127.0.0.1", port: registry.port, allowHalfOpen: true })),
    closeDelay: 100,
  });
}

/** Reads a repository over plain HTTP, as the container runtime of a node does. */
function pullFrom({ url }: Registry, repository: string): Pull {
  const open = (path: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      get(`${url}/v2/${repository}/${path}`, { agent: false }, (response) => {
        if (response.statusCode === 200) resolve(response);
        else reject(new KpushError("VERIFY_FAILED", `${path} answers ${response.statusCode}`));
      }).on("error", reject);
    });
  return {
    manifest: async (digest) => buffer(await open(`manifests/${digest}`)),
    blob: (digest) => open(`blobs/${digest}`),
  };
}
