import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fakeEngine } from "../fakes/engine.ts";
import { cliCluster, type CliCluster } from "./cli-cluster.ts";

const program = join(import.meta.dirname, "../../bin/kpush.js");

let cluster: CliCluster;
beforeAll(async () => {
  cluster = await cliCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** Starts the built program, as a shell would, in the cluster's directory. */
function start(argv: readonly string[], env: Record<string, string> = {}) {
  const { directory, kubeconfig } = cluster;
  const child = spawn(process.execPath, [program, ...argv], {
    cwd: directory,
    env: { HOME: directory, KUBECONFIG: kubeconfig, PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  return { child, ended, stderr: text(child.stderr).catch(() => "(closed)") };
}

/** Runs it to its end. */
async function run(argv: readonly string[], env?: Record<string, string>) {
  const { child, ended, stderr } = start(argv, env);
  const stdout = await text(child.stdout);
  const [status] = await ended;
  return { status, stdout, stderr: await stderr };
}

test("a push prints its reference, and ends although connections are kept alive", async () => {
  const { status, stdout, stderr } = await run(["./hello.tar"]);
  expect(stdout).toMatch(/^localhost:5000\/hello:v1@sha256:[0-9a-f]{64}\n$/);
  expect(stderr).toContain("✔ registry ");
  expect(status).toBe(0);
});

test("usage errors have their exit status", async () => {
  const { status, stdout, stderr } = await run(["--frobnicate"]);
  const page = new URL("../../docs/errors.md#usage", import.meta.url).href;
  expect(stderr).toBe(
    `error: there is no option --frobnicate\nhint: kpush --help lists the options\nmore: ${page}\n`,
  );
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
});

test("of images that failed alike, the last one shows where it is explained", async () => {
  const { status, stderr } = await run(["./one.tar", "./two.tar", "oci:none"]);
  const told = stderr.slice(stderr.indexOf("error: "));
  expect(told).toMatch(
    /^error: \.\/one\.tar: .*\nhint: .*\nerror: \.\/two\.tar: .*\nhint: .*\nerror: oci:none: .*\nhint: .*\nmore: .*#image_not_found\n$/,
  );
  expect(status).toBe(3);
});

test("long output into a pipe is never cut", async () => {
  const full = await readFile(join(import.meta.dirname, "../unit/cli/help/main.txt"), "utf8");
  expect((await run(["--help"])).stdout).toBe(full);
});

test("an installation is rendered with what is in the bundle, and asks nobody", async () => {
  const { status, stdout, stderr } = await run(["install", "-o", "yaml"], { KUBECONFIG: "/none" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^apiVersion: v1\nkind: Namespace\n(.*\n)*---\n(.*\n)*kind: DaemonSet\n/);
});

describe("signals", () => {
  test.for([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("%s ends kpush in good order", async ([signal, expected]) => {
    const { child, ended, stderr } = start(["tunnel"]);
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    expect(await get(`${line.toString().trim()}/v2/`)).toBe(200);
    child.kill(signal);
    expect(await ended).toEqual([expected, null]);
    expect(await stderr).toContain(`interrupted by ${signal}\n`);
    await expect(get(`${line.toString().trim()}/v2/`)).rejects.toThrow("ECONNREFUSED");
  });

  test("the second one does not wait for the cleanup", async () => {
    const requests = new EventEmitter();
    await using engine = await hangingEngine(requests);
    const { child, ended, stderr } = start(["-H", engine.host, "app:v1"]);
    await once(requests, "pushing");
    child.kill("SIGTERM");
    await once(requests, "cleaning");
    child.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(await stderr).not.toContain("interrupted");
  });
});

describe("a bug", () => {
  /** Has the process throw where nobody catches it, when SIGUSR2 comes. */
  const armed = async () => {
    const file = join(cluster.directory, "bug.cjs");
    const code = `process.on("SIGUSR2", () => { throw new TypeError("a word of the user's"); })`;
    await writeFile(file, code);
    return { NODE_OPTIONS: `--require ${file}` };
  };

  test("is told with what to report of it, and what was open is closed", async () => {
    const { child, ended, stderr } = start(["tunnel", "-v"], await armed());
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    child.kill("SIGUSR2");
    expect(await ended).toEqual([1, null]);
    const told = await stderr;
    expect(told).toContain(
      "\nerror: TypeError: a word of the user's\nhint: this is a bug in kpush",
    );
    const report = /\n```text\n[^]*?\n```\n$/.exec(told)?.[0];
    expect(report).toMatch(
      /^\n```text\nkpush {5}\S+, from a checkout\nnode {6}v\S+, \w+ \w+ \S+\ncommand {3}kpush tunnel --verbose\nregistry {2}kpush, by port-forward\nerror {5}TypeError\n {4}at [^]*```\n$/,
    );
    expect(report).not.toMatch(/user's|kpush-registry|test|127\.0\.0\.1|bug\.cjs/);
    await expect(get(`${line.toString().trim()}/v2/`)).rejects.toThrow("ECONNREFUSED");
  });

  test("is told even where the cleanup hangs", async () => {
    const requests = new EventEmitter();
    await using engine = await hangingEngine(requests);
    const { child, ended, stderr } = start(["-v", "-H", engine.host, "app:v1"], await armed());
    await once(requests, "pushing");
    child.kill("SIGUSR2");
    await once(requests, "cleaning");
    expect(await ended).toEqual([1, null]);
    expect(await stderr).toMatch(
      /\nerror: TypeError: .*\nhint: this is a bug[^]*\n\n```text\n[^]*\nroute {5}daemon\n[^]*\n```\n$/,
    );
  });
});

describe("a reader that goes away", () => {
  test("from stdout ends kpush without a word", async () => {
    const { child, ended, stderr } = start(["demo"]);
    await once(child.stdout, "data");
    child.stdout.destroy();
    expect(await ended).toEqual([141, null]);
    expect(await stderr).not.toMatch(/error|EPIPE/);
  });

  test("from stderr does not break off a push", async () => {
    const { child, ended } = start(["./hello.tar", "--name", "unread:v1"]);
    child.stderr.destroy();
    expect(await text(child.stdout)).toMatch(/^localhost:5000\/unread:v1@sha256:/);
    expect(await ended).toEqual([0, null]);
  });
});

describe("the code cache", () => {
  test("is private to the user, and filled by the first run", async () => {
    const home = await emptyHome("cache-first");
    await run(["--version"], home);
    const directory = join(home.XDG_CACHE_HOME, "kpush", "code");
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await readdir(directory)).length).toBeGreaterThan(0);
  });

  test("shows that --help loads none of the heavy libraries", async () => {
    const home = await emptyHome("cache-help");
    await run(["--help"], home);
    const files = await readdir(join(home.XDG_CACHE_HOME, "kpush", "code"));
    const chunks = files.map((file) => file.replace(/-v\d.*$/, ""));
    const code = await Promise.all(
      chunks.map((chunk) => readFile(join(program, "../../dist", chunk), "latin1")),
    );
    expect(code.join("")).toContain("YargsInstance");
    expect(code.join("")).not.toMatch(
      /loadFromOptions|permessage-deflate|discardStdin|"\/images\/"|kpush-registry-data/,
    );
  });

  test.for([
    ["replaced", () => Buffer.from("broken")],
    ["emptied", () => Buffer.alloc(0)],
    [
      "half written",
      (code: Buffer) => Buffer.concat([code.subarray(0, code.length >> 1)], code.length),
    ],
    [
      "changed in one bit",
      (code: Buffer) => code.with(code.length >> 1, (code.at(code.length >> 1) ?? 0) ^ 1),
    ],
  ] as const)("that was %s changes nothing but the time", async ([name, change]) => {
    const home = await emptyHome(`cache-${name.replaceAll(" ", "-")}`);
    const { stdout } = await run(["--help"], home);
    const directory = join(home.XDG_CACHE_HOME, "kpush", "code");
    const files = (await readdir(directory)).map((file) => join(directory, file));
    const bad = await Promise.all(files.map(async (file) => change(await readFile(file))));
    await Promise.all(files.map((file, index) => writeFile(file, bad[index] ?? "")));
    expect(await run(["--help"], home)).toEqual({ status: 0, stdout, stderr: "" });
    for (const [index, file] of files.entries()) {
      expect((await readFile(file)).equals(bad[index] ?? Buffer.alloc(0))).toBe(false);
    }
  });

  test("that others may write to is not used", async () => {
    const home = await emptyHome("cache-open");
    const directory = join(home.XDG_CACHE_HOME, "kpush", "code");
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o777);
    expect((await run(["--version"], home)).status).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  });

  test("that cannot be written changes nothing", async () => {
    const { status, stderr } = await run(["--version"], { XDG_CACHE_HOME: "/dev/null/x" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});

/** Neither takes a push nor removes a tag: says so when it is asked, and never answers. */
function hangingEngine(requests: EventEmitter) {
  return fakeEngine({
    images: [{ names: ["app:v1"], layers: ["one"] }],
    fault: (line) => {
      if (!/^POST .*\/push|^DELETE /.test(line)) return undefined;
      requests.emit(line.startsWith("DELETE") ? "cleaning" : "pushing");
      return "hang";
    },
  });
}

async function emptyHome(name: string): Promise<{ XDG_CACHE_HOME: string }> {
  const directory = join(cluster.directory, name);
  await mkdir(directory);
  return { XDG_CACHE_HOME: directory };
}

/** Status of a GET, with the login that stands in the address. */
function get(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { username, password } = new URL(url);
    request(url, { auth: `${username}:${password}`, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}
