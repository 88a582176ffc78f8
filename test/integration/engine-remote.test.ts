import { execFile } from "node:child_process";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { selfSignedCertificate } from "../../src/demo/certificate.ts";
import { fakeSsh, tcpFront, tlsFront, type SshFault } from "../fakes/engine-ways.ts";
import { startWorld } from "../fakes/world.ts";

const app = { names: ["app:v1"], layers: ["one", "two"] };
const kinds = ["graph", "containerd", "podman"] as const;
const pulled = /^localhost:5000\/app:v1@sha256:[0-9a-f]{64}\n$/;
const onUnix = test.skipIf(process.platform === "win32");
const socketOf = (host: string) => host.replace(/^(?:unix|npipe):\/\//, "");

/** An engine that is reached by TLS only, on a machine with another loopback unless told otherwise. */
async function overTls(kind: (typeof kinds)[number] = "graph", reachesHost = false) {
  const world = await startWorld({ kind, images: [app], reachesHost });
  const front = await tlsFront(socketOf(world.engine.host));
  world.env["DOCKER_HOST"] = `tcp://127.0.0.1:${front.port}`;
  world.env["DOCKER_TLS_VERIFY"] = "1";
  world.env["DOCKER_CERT_PATH"] = front.directory;
  return {
    world,
    front,
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** An engine that is reached by ssh only. */
async function overSsh(
  options: { kind?: (typeof kinds)[number]; reachesHost?: boolean; fault?: SshFault } = {},
) {
  const { fault, ...engine } = options;
  const world = await startWorld({ images: [app], reachesHost: false, ...engine });
  const ssh = await fakeSsh(socketOf(world.engine.host), fault);
  Object.assign(world.env, ssh.env, { DOCKER_HOST: "ssh://me@build:2222/run/docker.sock" });
  return {
    world,
    ssh,
    async [Symbol.asyncDispose]() {
      await ssh[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

test.for(kinds)("%s: an engine over TLS that cannot reach the port is read out", async (kind) => {
  await using remote = await overTls(kind);
  const { world } = remote;
  const run = await world.kpush(["app:v1", "-v"]);
  expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(pulled) as string });
  expect(run.stderr).toContain("cannot reach a port of this machine");
  expect(run.stderr).not.toContain("warning");
  expect(world.engine.requests).toContainEqual(expect.stringMatching(/^GET \/images\/.*\/get/));
});

test("an engine over TLS that reaches the port pushes by itself", async () => {
  await using remote = await overTls("graph", true);
  const run = await remote.world.kpush(["app:v1"]);
  expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(pulled) as string });
  expect(remote.world.engine.logins).toHaveLength(1);
  expect(remote.world.engine.images[0]?.names).toEqual(["app:v1"]);
});

test("DOCKER_TLS without ca.pem takes any certificate", async () => {
  await using remote = await overTls();
  const { world, front } = remote;
  await rm(join(front.directory, "ca.pem"));
  delete world.env["DOCKER_TLS_VERIFY"];
  world.env["DOCKER_TLS"] = "1";
  expect(await world.kpush(["app:v1"])).toMatchObject({ code: 0 });
});

interface TlsCase {
  what: string;
  code: string;
  words: string;
  change: (remote: Awaited<ReturnType<typeof overTls>>) => Promise<unknown>;
}

test.for<TlsCase>([
  {
    what: "another authority",
    code: "ENGINE_UNREACHABLE",
    words: "ca.pem does not name the authority",
    change: async ({ front }) =>
      writeFile(join(front.directory, "ca.pem"), (await selfSignedCertificate()).cert),
  },
  {
    what: "no certificate of the client",
    code: "ENGINE_DENIED",
    words: "are not accepted",
    change: async ({ front }) => {
      await rm(join(front.directory, "cert.pem"));
      await rm(join(front.directory, "key.pem"));
    },
  },
  {
    what: "a key of another certificate",
    code: "ENGINE_UNSUPPORTED",
    words: "cannot be used",
    change: async ({ front }) =>
      writeFile(join(front.directory, "key.pem"), (await selfSignedCertificate()).key),
  },
  {
    what: "files that are no certificates",
    code: "ENGINE_UNSUPPORTED",
    words: "cannot be used",
    change: ({ front }) => writeFile(join(front.directory, "cert.pem"), "nonsense"),
  },
])("over TLS with $what, ends with $code", async ({ code, words, change }) => {
  await using remote = await overTls();
  await change(remote);
  const run = await remote.world.kpush(["app:v1", "--json"]);
  expect(run.code).toBe(3);
  expect(JSON.parse(run.stdout)).toMatchObject({
    error: { code, message: expect.stringContaining(words) as string },
  });
});

test("docker's own options say which files are meant, where kpush is its plugin", async () => {
  await using remote = await overTls();
  const { world, front } = remote;
  const files = ["ca", "cert", "key"].map((name) => join(front.directory, `my-${name}`));
  for (const file of files) await rename(`${file.replace("my-", "")}.pem`, file);
  const [ca = "", cert = "", key = ""] = files;
  const options = ["--tlsverify", "--tlscacert", ca, `--tlscert=${cert}`, "--tlskey", key];
  const { DOCKER_HOST: host = "", KUBECONFIG = "" } = world.env;
  const env = { ...process.env, KUBECONFIG, HOME: world.home };
  const plugin = join(import.meta.dirname, "../../bin/docker-kpush.js");
  const argv = [plugin, "-H", host, ...options, "kpush", "app:v1"];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { env });
  expect(stdout).toMatch(pulled);
});

test("a certificate of another host is refused", async () => {
  await using world = await startWorld({ images: [app] });
  await using front = await tlsFront(socketOf(world.engine.host), ["build.example"]);
  world.env["DOCKER_HOST"] = `tcp://127.0.0.1:${front.port}`;
  world.env["DOCKER_TLS_VERIFY"] = "1";
  world.env["DOCKER_CERT_PATH"] = front.directory;
  const run = await world.kpush(["app:v1"]);
  expect(run).toMatchObject({ code: 3 });
  expect(run.stderr).toContain("of another host");
  expect(world.engine.requests).toEqual([]);
});

onUnix.for(kinds)("%s: an engine by ssh is read out", async (kind) => {
  await using remote = await overSsh({ kind });
  const { world, ssh } = remote;
  const run = await world.kpush(["app:v1"]);
  expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(pulled) as string });
  expect(run.stderr).toContain("at ssh://me@build:2222/run/docker.sock");
  expect(run.stderr).toContain("Welcome to build\n");
  const [first] = await ssh.calls();
  expect(first?.join(" ")).toBe(
    "-o ConnectTimeout=30 -T -l me -p 2222 -- build docker --host unix:///run/docker.sock system dial-stdio",
  );
});

onUnix("an engine by ssh that reaches the port pushes by itself", async () => {
  await using remote = await overSsh({ reachesHost: true });
  const run = await remote.world.kpush(["app:v1"]);
  expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(pulled) as string });
  expect(remote.world.engine.logins).toHaveLength(1);
});

onUnix("every ssh has ended when the push has", async () => {
  await using remote = await overSsh();
  await remote.world.kpush(["app:v1"]);
  await remote.ssh.allEnded();
  expect((await remote.ssh.calls()).length).toBeGreaterThan(0);
});

onUnix("every ssh has ended when the push was interrupted", async () => {
  const controller = new AbortController();
  await using world = await startWorld({
    images: [app],
    fault: (request) => {
      if (!request.includes("/get")) return undefined;
      controller.abort(new Error("interrupted"));
      return "hang";
    },
  });
  await using ssh = await fakeSsh(socketOf(world.engine.host));
  Object.assign(world.env, ssh.env, { DOCKER_HOST: "ssh://build" });
  const run = await world.kpush(["app:v1", "--route", "direct"], controller.signal);
  expect(run.code).not.toBe(0);
  await ssh.allEnded();
  expect((await ssh.calls()).length).toBeGreaterThan(0);
});

onUnix("of several images, the first has its answer before ssh is run for the next", async () => {
  await using world = await startWorld({ images: [app, { names: ["web:v1"], layers: ["w"] }] });
  await using ssh = await fakeSsh(socketOf(world.engine.host));
  Object.assign(world.env, ssh.env, { DOCKER_HOST: "ssh://build" });
  expect(await world.kpush(["app:v1", "nope:v1"])).toMatchObject({ code: 3 });
  expect(world.engine.requests.slice(0, 2)).toEqual([
    "GET /images/app:v1/json?manifests=1",
    "GET /images/nope:v1/json?manifests=1",
  ]);
});

onUnix(
  "where docker is missing on the other machine, podman's program takes its place",
  async () => {
    const fault = { code: 127, stderr: "sh: docker: not found\n", only: "docker" };
    await using remote = await overSsh({ kind: "podman", fault });
    const run = await remote.world.kpush(["app:v1"]);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stderr).not.toContain("not found");
    expect((await remote.ssh.calls()).at(-1)?.slice(-5).join(" ")).toBe(
      "podman --url unix:///run/docker.sock system dial-stdio",
    );
  },
);

onUnix.for<[string, SshFault]>([
  ["ENGINE_NOT_FOUND", { code: 127, stderr: "sh: not found\n" }],
  ["ENGINE_UNREACHABLE", { code: 255, stderr: "Host key verification failed.\n" }],
  ["ENGINE_UNREACHABLE", { code: 1, stderr: "Cannot connect to the Docker daemon\n" }],
  [
    "ENGINE_DENIED",
    { code: 1, stderr: "permission denied while trying to connect to the Docker daemon socket\n" },
  ],
])("ends with %s where ssh ends with %j", async ([code, fault]) => {
  await using remote = await overSsh({ fault });
  const run = await remote.world.kpush(["app:v1", "--json"]);
  expect(run.code).toBe(3);
  expect(JSON.parse(run.stdout)).toMatchObject({ error: { code } });
  expect(run.stderr).toContain(fault.stderr);
  expect(run.stdout).toMatch(/ssh -p 2222 me@build (docker|podman) version/);
});

onUnix("a machine without ssh is told so", async () => {
  await using world = await startWorld({ images: [app] });
  Object.assign(world.env, { DOCKER_HOST: "ssh://build", PATH: "/nowhere" });
  const run = await world.kpush(["app:v1"]);
  expect(run).toMatchObject({ code: 3 });
  expect(run.stderr).toContain("needs ssh, which is not on the PATH");
});

test.for([
  ["TLS to an engine without", "ENGINE_UNREACHABLE", "no TLS is spoken"],
  ["no TLS to an engine with it", "ENGINE_UNREACHABLE", "the connection"],
] as const)("%s: ends with %s", async ([what, code, words]) => {
  await using world = await startWorld({ images: [app] });
  await using front = await tlsFront(socketOf(world.engine.host));
  await using plainFront = await tcpFront(socketOf(world.engine.host));
  const wrong = what.startsWith("TLS") ? plainFront.port : front.port;
  world.env["DOCKER_HOST"] = `tcp://127.0.0.1:${wrong}`;
  world.env["DOCKER_CERT_PATH"] = front.directory;
  if (what.startsWith("TLS")) world.env["DOCKER_TLS_VERIFY"] = "1";
  const run = await world.kpush(["app:v1", "--json"]);
  expect(run.code).toBe(3);
  expect(JSON.parse(run.stdout)).toMatchObject({
    error: { code, message: expect.stringContaining(words) as string },
  });
});

test("docker's answer to whoever leaves out TLS says what to set", async () => {
  const body = "Client sent an HTTP request to an HTTPS server.\n";
  await using world = await startWorld({ fault: () => ({ status: 400, body }) });
  const run = await world.kpush(["app:v1"]);
  expect(run).toMatchObject({ code: 3 });
  expect(run.stderr).toContain("wants TLS");
  expect(run.stderr).toContain("DOCKER_TLS_VERIFY=1");
});
