import { execFile, type ExecFileOptions } from "node:child_process";
import { mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { publint } from "publint";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
  version: string;
};

/** A directory outside the project with the packed package installed, and nothing beside it. */
let directory: string;
let tarball: { filename: string; size: number; files: { path: string }[] };

async function exec(command: string, argv: readonly string[], options: ExecFileOptions = {}) {
  // No registry is asked, whatever the user's settings say: the package needs no other one.
  const env = { PATH: process.env["PATH"], HOME: directory, npm_config_offline: "true" };
  const shell = process.platform === "win32";
  return promisify(execFile)(command, argv, { cwd: directory, env, shell, ...options });
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kpush-package-"));
  // The scripts would build it anew, under the feet of the other tests.
  const packing = ["pack", "--json", "--ignore-scripts", "--pack-destination", directory];
  const { stdout } = await exec("npm", packing, { cwd: root });
  [tarball] = JSON.parse(String(stdout)) as [typeof tarball];
  await writeFile(join(directory, "package.json"), `{"name":"user","private":true}`);
  await exec("npm", ["install", "--no-audit", "--no-fund", `./${tarball.filename}`]);
}, 120_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

const kpush = (...argv: string[]) =>
  exec(process.execPath, ["node_modules/kpush/bin/kpush.js", ...argv]);

test("the package is under 3 MB, and has what users need", () => {
  expect(tarball.size).toBeLessThan(3_000_000);
  const files = tarball.files.map(({ path }) => path);
  for (const file of [
    "LICENSE",
    "README.md",
    "bin/kpush.js",
    "bin/kubectl-kpush.js",
    "bin/docker-kpush.js",
    "dist/THIRD-PARTY-LICENSES.txt",
  ]) {
    expect(files).toContain(file);
  }
  expect(files.filter((file) => /^(src|test|bench|build|node_modules)\//.test(file))).toEqual([]);
});

test("it is installed alone", async () => {
  const { stdout } = await exec("npm", ["ls", "--all", "--parseable"]);
  expect(String(stdout).trim().split("\n")).toHaveLength(2);
});

test("it runs where it is installed", async () => {
  expect((await kpush("--version")).stdout).toBe(`${manifest.version}\n`);
  expect((await kpush("--help")).stdout).toContain("Usage:\n  kpush ");
  await expect(kpush("--frobnicate")).rejects.toMatchObject({ code: 2 });
});

test("its shell command runs too", async () => {
  const { stdout } = await exec("npm", ["exec", "--offline", "kpush", "--", "--version"]);
  expect(stdout).toBe(`${manifest.version}\n`);
});

test.for([
  ["kubectl-kpush", ["--help"], "Usage:\n  kubectl kpush [OPTION]... IMAGE..."],
  ["docker-kpush", ["-H", "unix:///none", "kpush", "--help"], "Usage:\n  docker kpush [OPTION]..."],
  ["docker-kpush", ["docker-cli-plugin-metadata"], '"SchemaVersion":"0.1.0"'],
  ["docker-kpush", ["__complete", "kpush", "install", "--si"], "--size\tof the claim"],
  ["kubectl_complete-kpush", ["install", "--si"], "--size\tof the claim"],
] as const)("its plugin %s answers %j", async ([name, argv, expected]) => {
  const { stdout } = await exec(join("node_modules/.bin", name), argv);
  expect(stdout).toContain(expected);
});

test("its demo pushes an image from end to end", { timeout: 60_000 }, async () => {
  const { stdout } = await kpush("demo");
  expect(stdout).toMatch(/localhost:5000\/hello:v1@sha256:[0-9a-f]{64}/);
});

test("its errors lead to the section on them, in what was installed", async () => {
  const failed = await kpush("--frobnicate").catch((error: unknown) => error);
  const { stderr } = failed as { stderr: string };
  const [, url = "", anchor = ""] = /\nmore: (file:.*)#(.*)\n$/.exec(stderr) ?? [];
  const file = fileURLToPath(url);
  expect(file).toBe(await realpath(join(directory, "node_modules/kpush/docs/errors.md")));
  expect((await readFile(file, "utf8")).toLowerCase()).toContain(`\n### ${anchor}\n`);
});

test("its library is an ES module that throws its own errors", async () => {
  const script = `
    import { push, dryRun, install, uninstall, status, KpushError, ExitCode } from "kpush";
    const env = { KUBECONFIG: "/none" };
    for (const call of [
      () => push({ images: ["UPPER"], env }),
      () => dryRun({ images: ["UPPER"], env }),
      () => install({ storage: "tape", env }),
      () => uninstall({ env }),
      () => status({ env }),
    ]) {
      try { await call(); }
      catch (error) { console.log(error instanceof KpushError, error.code); }
    }
    console.log(ExitCode.usage);
  `;
  const { stdout } = await exec(process.execPath, ["--input-type=module", "-e", script]);
  expect(String(stdout).trim().split("\n")).toEqual([
    "true BAD_REFERENCE",
    "true BAD_REFERENCE",
    "true USAGE",
    "true KUBECONFIG_NOT_FOUND",
    "true KUBECONFIG_NOT_FOUND",
    "2",
  ]);
});

test("its types need no other package, not even Node's", { timeout: 60_000 }, async () => {
  const source = `
    import { push, dryRun, install, status, uninstall, KpushError } from "kpush";
    import type { InstallResult, KpushEvent, PushResult, StatusResult } from "kpush";
    const events: KpushEvent[] = [];
    const { signal } = new AbortController();
    const result: PushResult = await push({ images: ["a:v1"], env: {}, signal }, (event) => {
      events.push(event);
      if (event.type === "done") event.image.pullRef.toUpperCase();
    });
    for (const { error } of result.failed) if (error instanceof KpushError) error.code satisfies string;
    // @ts-expect-error -- images are names
    await push({ images: [1], env: {} });
    const plans = await dryRun({ images: ["a:v1"], env: {}, route: "direct" });
    for (const { target, layers } of plans.images)
      for (const { step, bytes } of layers) [target, step, bytes] satisfies unknown[];
    // @ts-expect-error -- nothing was pushed that could be pulled
    plans.images[0]?.pullRef;
    const made: InstallResult = await install({ env: {}, size: "50Gi", allowPush: ["user:jane"] });
    for (const { kind, name, action } of made.objects) [kind, name, action] satisfies string[];
    const { healthy, storage }: StatusResult = await status({ env: {}, namespace: "tools" });
    if (!healthy) storage.freeBytes satisfies number | undefined;
    (await uninstall({ env: {}, deleteData: true })).context.toUpperCase();
    // @ts-expect-error -- there is no other way
    await install({ env: {}, nodeAccess: "nodeport" });
  `;
  await mkdir(join(directory, "types"));
  await writeFile(join(directory, "types/user.mts"), source);
  const compilerOptions = {
    ...{ module: "nodenext", target: "es2022", strict: true, noEmit: true, types: [] },
    ...{ skipLibCheck: false, exactOptionalPropertyTypes: true },
  };
  const config = { compilerOptions, files: ["user.mts"] };
  await writeFile(join(directory, "types/tsconfig.json"), JSON.stringify(config));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { stdout } = await exec(process.execPath, [compiler, "-p", "types", "--listFiles"]);
  const read = String(stdout).split("\n");
  const others = read.filter((file) => /node_modules/.test(file) && !/kpush|typescript/.test(file));
  expect(others).toEqual([]);
  expect(read.some((file) => file.endsWith("kpush/dist/types/index.d.ts"))).toBe(true);
});

test("publint has nothing to say", async () => {
  const { messages } = await publint({ pkgDir: root, strict: true, pack: false });
  expect(messages).toEqual([]);
});

test("the licences of what is bundled are in it", async () => {
  const file = join(directory, "node_modules/kpush/dist/THIRD-PARTY-LICENSES.txt");
  const licences = await readFile(file, "utf8");
  for (const name of ["@kubernetes/client-node", "dockerode", "ora", "ws", "yargs"]) {
    expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+$`, "m"));
  }
  expect((await stat(file)).size).toBeGreaterThan(10_000);
});

test("nothing in it names the machine that it was built on", async () => {
  for (const { path } of tarball.files) {
    const content = await readFile(join(directory, "node_modules/kpush", path), "latin1");
    expect(content.includes(root), path).toBe(false);
  }
});
