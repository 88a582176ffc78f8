import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cliCluster, type CliCluster } from "./cli-cluster.ts";

const program = join(import.meta.dirname, "../../bin/kpush.js");

let cluster: CliCluster;
let temporary: string;
beforeAll(async () => {
  cluster = await cliCluster();
  temporary = join(cluster.directory, "tmp");
  await mkdir(temporary);
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** Starts `kpush tunnel …` as a shell would. */
function start(args: readonly string[], env: Record<string, string> = {}) {
  const { directory, kubeconfig } = cluster;
  const own = { HOME: directory, TMPDIR: temporary, KUBECONFIG: kubeconfig };
  const child = spawn(process.execPath, [program, "tunnel", ...args], {
    cwd: directory,
    env: { ...own, PATH: process.env["PATH"], ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  return { child, ended, stdout: text(child.stdout), stderr: text(child.stderr) };
}

async function run(args: readonly string[], env?: Record<string, string>) {
  const { ended, stdout, stderr } = start(args, env);
  const [status] = await ended;
  return { status, stdout: await stdout, stderr: await stderr };
}

/** A tool: what it does is JavaScript. */
const node = (code: string, ...args: string[]) => ["--", process.execPath, "-e", code, ...args];

/** Asks the registry by the login that the file of a variable has for it, as tools do. */
const ask = (variable: string, name: string) => `
  const { readFileSync } = require("node:fs");
  const { KPUSH_REGISTRY: registry, ${variable}: place } = process.env;
  const { auth } = JSON.parse(readFileSync(place + "${name}", "utf8")).auths[registry];
  const url = "http://" + registry + "/v2/";
  const status = async (headers) => (await fetch(url, { headers })).status;
  (async () => console.log(await status({}), await status({ authorization: "Basic " + auth })))();
`;

test.for([
  ["DOCKER_CONFIG", "/config.json"],
  ["REGISTRY_AUTH_FILE", ""],
  ["HELM_REGISTRY_CONFIG", ""],
])("a command finds the registry, and its login by %s", async ([variable = "", name = ""]) => {
  const { status, stdout } = await run(node(ask(variable, name)));
  expect({ status, stdout }).toEqual({ status: 0, stdout: "401 200\n" });
  expect(await readdir(temporary)).toEqual([]);
});

test("stdin and stdout are the command's, options behind -- too, and kpush is silent with -q", async () => {
  const code = "process.stdin.pipe(process.stdout); console.log(process.argv.slice(1).join())";
  const { child, ended, stdout, stderr } = start(["-q", ...node(code, "--", "-v", "--json")]);
  child.stdin.end("input\n");
  expect(await ended).toEqual([0, null]);
  expect(await stdout).toBe("-v,--json\ninput\n");
  expect(await stderr).toBe("");
});

test("its files are the user's alone, and what the user's own say of others stays true", async () => {
  const home = join(cluster.directory, "home");
  const docker = join(home, ".docker");
  await mkdir(join(docker, "contexts"), { recursive: true });
  const auths = { "one.example": {}, "two.example": { auth: "eDp5" } };
  const own = { auths, credsStore: "desktop", credHelpers: { "three.example": "ecr-login" } };
  await writeFile(join(docker, "config.json"), JSON.stringify({ ...own, currentContext: "far" }));
  const code = `
    const { readdirSync, readFileSync, statSync } = require("node:fs");
    const { DOCKER_CONFIG: directory, REGISTRY_AUTH_FILE: file } = process.env;
    const mode = (path) => (statSync(path).mode & 0o777).toString(8);
    const config = JSON.parse(readFileSync(directory + "/config.json", "utf8"));
    const { auths, ...rest } = config;
    const modes = [directory, directory + "/..", directory + "/config.json", file].map(mode);
    console.log(JSON.stringify({ ...rest, hosts: Object.keys(auths), modes, names: readdirSync(directory) }));
  `;
  const { status, stdout } = await run(node(code), { HOME: home });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    currentContext: "far",
    credHelpers: {
      "one.example": "desktop",
      "two.example": "desktop",
      "three.example": "ecr-login",
    },
    hosts: ["one.example", "two.example", expect.stringMatching(/^127\.0\.0\.1:\d+$/)],
    modes: ["700", "700", "600", "600"],
    names: ["config.json", "contexts"],
  });
});

describe("the exit status", () => {
  test.for([
    ["its own", "process.exit(7)", 7],
    ["128 and the signal's number", 'process.kill(process.pid, "SIGKILL")', 137],
  ] as const)("is %s", async ([, code, expected]) => {
    expect(await run(node(code))).toMatchObject({ status: expected, stdout: "" });
    expect(await readdir(temporary)).toEqual([]);
  });

  test("is 127 for a command that is not there, and 126 for one that is no program", async () => {
    const missing = await run(["--", "no-such-tool-here"]);
    expect(missing).toMatchObject({ status: 127, stdout: "" });
    expect(missing.stderr).toContain("error: no-such-tool-here: there is no such command\n");
    const plain = join(cluster.directory, "plain");
    await writeFile(plain, "text");
    await chmod(plain, 0o644);
    const unusable = await run(["--", plain]);
    expect(unusable.status).toBe(126);
    expect(unusable.stderr).toContain(`error: ${plain} cannot be run: `);
    expect(await readdir(temporary)).toEqual([]);
  });
});

test.for(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s goes on to the command, which may still use the tunnel before it ends",
  async (signal) => {
    const code = `
      const auth = require(process.env.DOCKER_CONFIG + "/config.json").auths[process.env.KPUSH_REGISTRY].auth;
      const headers = { authorization: "Basic " + auth };
      process.on("${signal}", async () => {
        const { status } = await fetch("http://" + process.env.KPUSH_REGISTRY + "/v2/", { headers });
        console.log(status);
        process.exit(3);
      });
      setInterval(() => undefined, 1000);
      console.log("ready");
    `;
    const { child, ended, stdout } = start(node(code));
    await once(child.stdout, "data");
    child.kill(signal);
    expect(await ended).toEqual([3, null]);
    expect(await stdout).toMatch(/200\n$/);
    expect(await readdir(temporary)).toEqual([]);
  },
);

test("a second signal ends both at once, and leaves no login behind", async () => {
  const code = `
    process.on("SIGTERM", () => console.log("got it"));
    setInterval(() => undefined, 1000);
    console.log("ready");
  `;
  const { child, ended, stdout } = start(node(code));
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await ended).toEqual([143, null]);
  expect(await stdout).toMatch(/got it\n$/); // its stdout is closed: it has ended, too
  expect(await readdir(temporary)).toEqual([]);
});

test("logins of helm's own directory are kept, and docker's files of a relative one", async () => {
  await mkdir(join(cluster.directory, "relative/contexts"), { recursive: true });
  await mkdir(join(cluster.directory, "helm/registry"), { recursive: true });
  const own = JSON.stringify({ auths: { "one.example": { auth: "eDp5" } } });
  await writeFile(join(cluster.directory, "helm/registry/config.json"), own);
  const code = `
    const { readFileSync, statSync } = require("node:fs");
    const { DOCKER_CONFIG: docker, HELM_REGISTRY_CONFIG: helm } = process.env;
    const { auths } = JSON.parse(readFileSync(helm, "utf8"));
    console.log(statSync(docker + "/contexts").isDirectory(), auths["one.example"].auth);
  `;
  const env = {
    DOCKER_CONFIG: "relative",
    HELM_CONFIG_HOME: join(cluster.directory, "helm"),
  };
  expect(await run(node(code), env)).toMatchObject({ status: 0, stdout: "true eDp5\n" });
});

test.for([
  ["no command", ["--"], "kpush tunnel -- COMMAND …"],
  ["a command without --", ["crane", "ls"], "kpush tunnel -- crane …"],
  ["a word before --", ["crane", "--", "ls"], "kpush tunnel -- crane …"],
] as const)("%s is a usage error that shows how to write it", async ([, args, hint]) => {
  const { status, stderr } = await run(args);
  expect(status).toBe(2);
  expect(stderr).toContain(`hint: ${hint}\n`);
});
