import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
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

test("its files are the user's alone, and what else is in docker's directory is there too", async () => {
  const home = join(cluster.directory, "home");
  const docker = join(home, ".docker");
  for (const name of ["buildx", "contexts"]) await mkdir(join(docker, name), { recursive: true });
  const own = {
    auths: { "two.example": { auth: "eDp5" } },
    credHelpers: { "three.example": "ecr" },
  };
  await writeFile(join(docker, "config.json"), JSON.stringify({ ...own, currentContext: "far" }));
  await writeFile(join(docker, "ca.pem"), "a certificate");
  const code = `
    const { readdirSync, readFileSync, statSync } = require("node:fs");
    const { DOCKER_CONFIG: directory, REGISTRY_AUTH_FILE: file } = process.env;
    const mode = (path) => (statSync(path).mode & 0o777).toString(8);
    const config = JSON.parse(readFileSync(directory + "/config.json", "utf8"));
    const { auths, ...rest } = config;
    const modes = [directory, directory + "/..", directory + "/config.json", file].map(mode);
    const ca = readFileSync(directory + "/ca.pem", "utf8");
    console.log(JSON.stringify({ ...rest, hosts: Object.keys(auths), modes, ca, names: readdirSync(directory) }));
  `;
  const { status, stdout } = await run(node(code), { HOME: home });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    currentContext: "far",
    credHelpers: own.credHelpers,
    hosts: ["two.example", expect.stringMatching(/^127\.0\.0\.1:\d+$/)],
    modes: ["700", "700", "600", "600"],
    ca: "a certificate",
    names: ["buildx", "ca.pem", "config.json", "contexts"],
  });
});

test("a store of all logins is asked for those of other registries, and not for the tunnel's", async () => {
  const own = join(cluster.directory, "with-store");
  const bin = join(own, "bin");
  await mkdir(bin, { recursive: true });
  const store = join(bin, "docker-credential-desktop");
  await writeFile(store, '#!/bin/sh\necho "$1 $(cat)"\ntest "$1" = get\n', { mode: 0o755 });
  await writeFile(join(own, "config.json"), JSON.stringify({ credsStore: "desktop" }));
  // As docker's library, crane's and oras's do it.
  const code = `
    const { spawnSync } = require("node:child_process");
    const { KPUSH_REGISTRY: registry, DOCKER_CONFIG: directory } = process.env;
    const { credsStore, credHelpers = {} } = require(directory + "/config.json");
    const ask = (verb, input) => {
      const name = "docker-credential-" + (credHelpers[input] || credsStore);
      const { status, stdout } = spawnSync(name, [verb], { input, encoding: "utf8" });
      return { status, stdout };
    };
    const asked = [registry, registry + "/app"].map((input) => {
      const { ServerURL, Username, Secret } = JSON.parse(ask("get", input).stdout);
      return [ServerURL === registry, Username + ":" + Secret];
    });
    const { auth } = require(directory + "/config.json").auths[registry];
    const login = Buffer.from(auth, "base64").toString();
    const ours = asked.map(([same, found]) => same && found === login);
    console.log(JSON.stringify([ours, ask("get", "one.example"), ask("list", "unused")]));
  `;
  const path = `${bin}:${process.env["PATH"] ?? ""}`;
  const { status, stdout } = await run(node(code), { DOCKER_CONFIG: own, PATH: path });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    [true, true],
    { status: 0, stdout: "get one.example\n" },
    { status: 1, stdout: "list unused\n" },
  ]);
});

describe("logins of podman and skopeo", () => {
  const login = (name: string) => ({ auth: Buffer.from(`x:${name}`).toString("base64") });
  const write = async (path: string, config: object) => {
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, JSON.stringify(config));
  };
  const code = `
    const { readFileSync } = require("node:fs");
    const { KPUSH_REGISTRY, REGISTRY_AUTH_FILE: file, DOCKER_CONFIG: docker } = process.env;
    const logins = (path) => {
      const { auths, credHelpers } = JSON.parse(readFileSync(path, "utf8"));
      const { [KPUSH_REGISTRY]: ours, ...others } = auths;
      for (const name in others) others[name] = atob(others[name].auth);
      return { ...others, ...credHelpers };
    };
    console.log(JSON.stringify([logins(file), logins(docker + "/config.json")]));
  `;

  test("are those of all their files, the first that knows a registry before the others", async () => {
    const home = join(cluster.directory, "containers");
    await write(join(home, "run/containers/auth.json"), { auths: { "one.example": login("run") } });
    await write(join(home, ".config/containers/auth.json"), {
      auths: { "one.example/team": login("config"), "two.example": login("config") },
      credHelpers: { "one.example": "ecr", "three.example": "ecr" },
    });
    await write(join(home, ".docker/config.json"), {
      auths: { "two.example": login("docker"), "four.example": login("docker") },
    });
    const env = { HOME: home, XDG_RUNTIME_DIR: join(home, "run") };
    expect(JSON.parse((await run(node(code), env)).stdout)).toEqual([
      {
        "one.example": "x:run",
        "two.example": "x:config",
        "three.example": "ecr",
        "four.example": "x:docker",
      },
      { "two.example": "x:docker", "four.example": "x:docker" },
    ]);
  });

  test("are those of REGISTRY_AUTH_FILE alone where it is set; without a file of docker's, crane's too", async () => {
    const home = join(cluster.directory, "auth-file");
    const file = join(home, "auth.json");
    await write(file, { auths: { "one.example": login("file") } });
    await write(join(home, ".config/containers/auth.json"), {
      auths: { "two.example": login("config") },
    });
    const env = { HOME: home, XDG_RUNTIME_DIR: join(home, "run"), REGISTRY_AUTH_FILE: file };
    const only = { "one.example": "x:file" };
    expect(JSON.parse((await run(node(code), env)).stdout)).toEqual([only, only]);
  });
});

test("a tunnel that broke is told, even where the command ends well", async () => {
  const broken = await cliCluster();
  const code = `
    console.log("ready");
    process.stdin.once("data", () => {
      const { auth } = require(process.env.DOCKER_CONFIG + "/config.json").auths[process.env.KPUSH_REGISTRY];
      const headers = { authorization: "Basic " + auth };
      const url = "http://" + process.env.KPUSH_REGISTRY + "/v2/";
      fetch(url, { headers }).then(({ ok }) => console.log(ok), () => console.log("lost"))
        .then(() => process.exit(0));
    });
  `;
  const { child, ended, stdout, stderr } = start(node(code), { KUBECONFIG: broken.kubeconfig });
  await once(child.stdout, "data");
  await broken.registry[Symbol.asyncDispose]();
  child.stdin.end("go");
  expect(await ended).toEqual([0, null]);
  await broken.apiServer[Symbol.asyncDispose]();
  await rm(broken.directory, { recursive: true });
  expect(await stdout).toMatch(/^ready\n(false|lost)\n$/);
  expect(await stderr).toMatch(/^warning: the tunnel broke meanwhile: .+/m);
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
