import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { chooseContext } from "../../src/cluster/kubeconfig/choose.ts";
import { loadKubeconfig } from "../../src/cluster/kubeconfig/load.ts";
import { kubeconfig, mergeCases } from "../unit/cluster/merge-cases.ts";
import { kubectlPath, skipUnless } from "./support/environment.ts";

const skip = skipUnless(
  kubectlPath,
  "kubeconfigs merged as kubectl does",
  "there is no kubectl: set KUBECTL, or put it on the PATH",
);

/** Writes the files, and hands their paths as KUBECONFIG names them. */
async function withFiles<T>(
  contents: readonly (string | undefined)[],
  use: (list: string, directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "kpush-kubeconfig-"));
  try {
    const paths = contents.map((_, index) => join(directory, `config-${index}`));
    for (const [index, content] of contents.entries()) {
      if (content !== undefined) await writeFile(paths[index] ?? "", content);
    }
    return await use(paths.join(delimiter), directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function kubectl(KUBECONFIG: string, home: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG };
  return (await promisify(execFile)(kubectlPath ?? "", args, { env })).stdout;
}

interface View {
  "current-context": string;
  clusters: { cluster: { server: string } }[];
  contexts: { context: { namespace?: string } }[];
  users: { user: { token?: string } }[];
}

async function askKubectl(list: string, home: string, ...options: string[]) {
  const view = await kubectl(
    list,
    home,
    "config",
    "view",
    "--minify",
    "--raw",
    "-o",
    "json",
    ...options,
  );
  const { clusters, contexts, users, ...rest } = JSON.parse(view) as View;
  return {
    context: rest["current-context"],
    server: clusters[0]?.cluster.server,
    namespace: contexts[0]?.context.namespace ?? "default",
    token: users[0]?.user.token,
  };
}

async function askKpush(list: string, home: string, kubeconfigOption?: string) {
  const place = { env: { KUBECONFIG: list }, home, cwd: home, platform: process.platform };
  const merged = await loadKubeconfig(kubeconfigOption, place);
  const { name, namespace, cluster, user } = chooseContext(merged, {}, place);
  return { context: name, server: cluster.server, namespace, token: user.token };
}

describe.skipIf(skip)("kubectl and kpush read the same of KUBECONFIG", () => {
  test.for(mergeCases)("$title", async ({ files, expected }) => {
    await withFiles(files, async (list, directory) => {
      if (!expected) {
        await expect(askKubectl(list, directory)).rejects.toThrow("error loading config file");
        await expect(askKpush(list, directory)).rejects.toMatchObject({
          code: "KUBECONFIG_INVALID",
        });
        return;
      }
      expect(await askKubectl(list, directory)).toEqual(expected);
      expect(await askKpush(list, directory)).toEqual(expected);
    });
  });

  test("--kubeconfig alone counts, and must be there", async () => {
    await withFiles([kubeconfig("a"), kubeconfig("b"), undefined], async (list, directory) => {
      const [, other = "", missing = ""] = list.split(delimiter);
      expect(await askKubectl(list, directory, "--kubeconfig", other)).toMatchObject({
        context: "b",
      });
      expect(await askKpush(list, directory, other)).toMatchObject({ context: "b" });
      const asked = kubectl(list, directory, "get", "pods", "--kubeconfig", missing);
      await expect(asked).rejects.toThrow("no such file");
      await expect(askKpush(list, directory, missing)).rejects.toMatchObject({
        code: "KUBECONFIG_NOT_FOUND",
      });
    });
  });

  test("relative paths start from the file they stand in", async () => {
    const config = kubeconfig("a").replace("{server:", "{certificate-authority: ca.crt, server:");
    await withFiles([config], async (list, directory) => {
      const place = {
        env: { KUBECONFIG: list },
        home: directory,
        cwd: "/",
        platform: process.platform,
      };
      const { cluster } = chooseContext(await loadKubeconfig(undefined, place), {}, place);
      expect(cluster.authorityFile).toBe(join(directory, "ca.crt"));
      // There is no such file, and kubectl names the one that it misses.
      const asked = kubectl(list, directory, "get", "pods");
      await expect(asked).rejects.toThrow(
        `unable to read certificate-authority ${cluster.authorityFile ?? ""}`,
      );
    });
  });
});
