import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCluster, type OpenClusterSettings } from "../../src/cluster/open.ts";
import type { Cluster, ClusterOptions, Surroundings } from "../../src/cluster/types.ts";
import type { ApiServer } from "../../src/demo/api-server.ts";
import type { KpushEvent } from "../../src/events.ts";

/** What a test kubeconfig says of its one cluster and user, besides the server. */
export interface KubeconfigFacts {
  cluster?: object;
  /** Without it the context names no user. */
  user?: object;
  namespace?: string;
}

/** A home directory for one test: a kubeconfig in the usual place, and what was said meanwhile. */
export interface KubeHome extends AsyncDisposable {
  readonly directory: string;
  readonly kubeconfig: string;
  surroundings: Surroundings;
  /** What plugins wrote to stderr. */
  readonly stderr: string[];
  readonly events: KpushEvent[];
  write(name: string, content: string, mode?: number): Promise<string>;
  /** Writes a kubeconfig for the server, which trusts its certificate unless `cluster` says otherwise. */
  writeKubeconfig(
    server: Pick<ApiServer, "url" | "certificate">,
    facts?: KubeconfigFacts,
  ): Promise<void>;
  open(
    options?: ClusterOptions,
    settings?: OpenClusterSettings,
    signal?: AbortSignal,
  ): Promise<Cluster>;
}

export async function kubeHome(env: Record<string, string> = {}): Promise<KubeHome> {
  const directory = await mkdtemp(join(tmpdir(), "kpush-home-"));
  const kubeconfig = join(directory, "config");
  const stderr: string[] = [];
  const events: KpushEvent[] = [];
  const home: KubeHome = {
    directory,
    kubeconfig,
    stderr,
    events,
    surroundings: {
      env: { PATH: process.env["PATH"], KUBECONFIG: kubeconfig, ...env },
      home: directory,
      cwd: directory,
      platform: process.platform,
      pluginStdin: "ignore",
      pluginStderr: (chunk) => stderr.push(Buffer.from(chunk).toString()),
    },
    async write(name, content, mode = 0o600) {
      const file = join(directory, name);
      await writeFile(file, content, { mode });
      return file;
    },
    async writeKubeconfig(server, { cluster, user, namespace } = {}) {
      const authority = Buffer.from(server.certificate).toString("base64");
      const context = {
        cluster: "test",
        ...(user ? { user: "tester" } : {}),
        ...(namespace === undefined ? {} : { namespace }),
      };
      await writeFile(
        kubeconfig,
        JSON.stringify({
          "current-context": "test",
          contexts: [{ name: "test", context }],
          clusters: [
            {
              name: "test",
              cluster: {
                server: server.url,
                ...(cluster ?? { "certificate-authority-data": authority }),
              },
            },
          ],
          users: user ? [{ name: "tester", user }] : [],
        }),
        { mode: 0o600 },
      );
    },
    open: (options = {}, settings = {}, signal = new AbortController().signal) =>
      openCluster(options, home.surroundings, (event) => events.push(event), signal, settings),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
  return home;
}
