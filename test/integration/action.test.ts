import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeDemoImage } from "../../src/demo/demo-image.ts";
import { action, runAction } from "../fakes/run-action.ts";
import { cliCluster, type CliCluster } from "./cli-cluster.ts";

const root = join(import.meta.dirname, "../..");
const readText = (name: string) => readFile(join(root, name), "utf8");
const { version } = JSON.parse(await readText("package.json")) as { version: string };
const reference = /^localhost:5000\/hello:v1@sha256:[0-9a-f]{64}$/;

let cluster: CliCluster;
beforeEach(async () => {
  cluster = await cliCluster();
  // npx downloads nothing here: it notes what it was asked for, and what of the kubeconfig it can see.
  const npx = `#!/bin/sh
printf '%s\\n' "$2" > '${cluster.directory}/asked'
env > '${cluster.directory}/env'
[ -z "$KUBECONFIG" ] || '${process.execPath}' -p 'fs.statSync(process.env.KUBECONFIG).mode & 0o777' > '${cluster.directory}/mode'
shift 2
exec '${process.execPath}' '${root}/bin/kpush.js' "$@"
`;
  await mkdir(join(cluster.directory, "bin"));
  await writeFile(join(cluster.directory, "bin/npx"), npx);
  await chmod(join(cluster.directory, "bin/npx"), 0o755);
});
afterEach(() => cluster[Symbol.asyncDispose]());

const fileOf = (name: string) => join(cluster.directory, name);

const run = (given: Record<string, string>) => runAction(cluster, given);
const kubeconfig = () => readFile(cluster.kubeconfig, "utf8");
const left = () =>
  stat(fileOf("kpush.kubeconfig")).then(
    () => "there",
    () => "gone",
  );

describe("the GitHub Action", () => {
  test("pushes with the kubeconfig it is given, and leaves no trace of it", async () => {
    const { failed, outputs } = await run({
      images: "./hello.tar",
      kubeconfig: await kubeconfig(),
    });
    expect(failed).toBe(false);
    expect(outputs["reference"]).toMatch(reference);
    expect(outputs["references"]).toBe(outputs["reference"]);
    expect(outputs["reference"]).toContain(`@${outputs["digest"] ?? "none"}`);
    expect(Number(await readFile(fileOf("mode"), "utf8"))).toBe(0o600);
    expect(await readFile(fileOf("env"), "utf8")).not.toContain(cluster.apiServer.token);
    expect(await left()).toBe("gone");
  });

  test("offers as outputs what its step writes", async () => {
    const { outputs } = await run({
      images: "./hello.tar",
      kubeconfig: await kubeconfig(),
    });
    expect(Object.values(action.outputs).map(({ value }) => value)).toEqual(
      Object.keys(outputs).map((name) => `\${{ steps.push.outputs.${name} }}`),
    );
  });

  test("runs the kpush of its own version, or of the one that is asked for", async () => {
    const given = { images: "./hello.tar", kubeconfig: await kubeconfig() };
    await run(given);
    expect(await readFile(fileOf("asked"), "utf8")).toBe(`kpush@${version}\n`);
    await run({ ...given, version: "9.8.7" });
    expect(await readFile(fileOf("asked"), "utf8")).toBe("kpush@9.8.7\n");
  });

  test("pushes each line of images, and gives each line of args to kpush", async () => {
    await writeDemoImage({ path: fileOf("again.tar"), name: "again:v1", layerBytes: 1000 });
    const { outputs } = await run({
      images: "./hello.tar\n\n./again.tar\n",
      args: "--tag=stable\n--timeout=1m\n",
      kubeconfig: await kubeconfig(),
    });
    const [first, second, ...rest] = (outputs["references"] ?? "").split("\n");
    expect(first).toMatch(reference);
    expect(first).toBe(outputs["reference"]);
    expect(second).toMatch(/^localhost:5000\/again:v1@sha256:/);
    expect(rest).toEqual([]);
  });

  test("goes by the job's own kubeconfig where none is given", async () => {
    const step = action.runs.steps.find(({ id }) => id === "push");
    expect(step?.env).not.toHaveProperty("KUBECONFIG");
    await mkdir(fileOf(".kube"));
    await writeFile(fileOf(".kube/config"), await kubeconfig());
    const { failed, outputs } = await run({ images: "./hello.tar" });
    expect(failed).toBe(false);
    expect(outputs["reference"]).toMatch(reference);
  });

  test.for(["images", "args", "context", "namespace", "version"])(
    "runs nothing that stands in %s",
    async (name) => {
      const hostile = `--x"; touch pwned; $(touch pwned) \`touch pwned\` '`;
      const given = { images: "./hello.tar", kubeconfig: await kubeconfig(), [name]: hostile };
      const ran = await run(given);
      await expect(stat(fileOf("pwned"))).rejects.toThrow("ENOENT");
      expect(ran.failed).toBe(name !== "version"); // which the npx here does not look up
      expect(await left()).toBe("gone");
    },
  );

  test("an image that looks like an option is none", async () => {
    const ran = await run({ images: "--help", kubeconfig: await kubeconfig() });
    expect(ran).toMatchObject({ failed: true, outputs: {} });
    expect(ran.log).toContain("--help");
  });

  test("with an expired token says so, and leaves no kubeconfig behind", async () => {
    const expired = await kubeconfig();
    cluster.apiServer.token = "another";
    const ran = await run({ images: "./hello.tar", kubeconfig: expired });
    expect(ran).toMatchObject({ failed: true, outputs: {} });
    expect(ran.log).toContain("does not accept the credentials");
    expect(ran.log).toContain("#cluster_unauthorized");
    expect(await left()).toBe("gone");
  });

  test("has no expression in a script", () => {
    for (const { run, shell } of action.runs.steps) {
      expect(run).not.toContain("${{");
      expect(shell).toBe("bash");
    }
  });
});
