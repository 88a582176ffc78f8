import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tlsFront, type TlsFront } from "../fakes/engine-ways.ts";
import { engines, skipUnless } from "./support/environment.ts";
import { load, names, remove } from "./support/engine.ts";
import { kpush, start } from "./support/kpush.ts";
import { registryIn } from "./support/registry.ts";
import { sshdPath, sshServer, type SshServer } from "./support/ssh.ts";

const MiB = 1 << 20;
const namespace = "kpush-e2e-engines";
const onSockets = engines.filter(({ host }) => host.startsWith("unix://"));
const socketOf = (host: string) => host.replace("unix://", "");
const reference = (name: string) => new RegExp(`/${name}@sha256:[0-9a-f]{64}\\n$`);

let registry: AsyncDisposable;
beforeAll(async () => {
  registry = await registryIn(namespace, "registry:3");
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
});

/** Where kpush finds an engine in another way than by its socket. */
interface Reached {
  env: NodeJS.ProcessEnv;
  host: string;
}

/** Pushes by both routes, and once more; the engine is as it was afterwards. */
async function pushBothWays(engine: (typeof engines)[number], way: string, reached: Reached) {
  const name = `kpush-e2e-${way}-${engine.name.toLowerCase()}:v1`;
  await load(engine, { name, layers: [2 * MiB, MiB], seed: randomUUID() });
  try {
    for (const route of ["auto", "direct"]) {
      const target = name.replace(":v1", `:${route}`);
      const args = ["-n", namespace, "--route", route, "--name", target, name];
      const run = await kpush(args, reached);
      expect(run).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(reference(target)) as string,
      });
      expect(run.stderr).toContain(` at ${way}://`);
      const again = await kpush(args, reached);
      expect(again).toMatchObject({ code: 0, stdout: run.stdout });
      expect(again.stderr).toContain("unchanged");
    }
    expect(await names(engine)).not.toContainEqual(expect.stringMatching(/^127\.0\.0\.1:/));
  } finally {
    await remove(engine, name);
  }
}

describe.each(onSockets)("$name, on tcp with TLS and a client's certificate", (engine) => {
  let front: TlsFront;
  beforeAll(async () => {
    front = await tlsFront(socketOf(engine.host));
  });
  afterAll(async () => {
    await front[Symbol.asyncDispose]();
  });

  test("is read and pushes as by its socket", async () => {
    const env = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: front.directory };
    await pushBothWays(engine, "tcp", { env, host: `tcp://127.0.0.1:${front.port}` });
  });

  test("is found by a docker context, with the files that it keeps", async () => {
    const config = await mkdtemp(join(tmpdir(), "kpush-docker-"));
    const id = createHash("sha256").update("build").digest("hex");
    const meta = join(config, "contexts/meta", id);
    const tls = join(config, "contexts/tls", id, "docker");
    const Host = `tcp://127.0.0.1:${front.port}`;
    try {
      for (const directory of [meta, tls]) await mkdir(directory, { recursive: true });
      await writeFile(
        join(meta, "meta.json"),
        JSON.stringify({ Name: "build", Metadata: {}, Endpoints: { docker: { Host } } }),
      );
      for (const name of ["ca.pem", "cert.pem", "key.pem"])
        await writeFile(join(tls, name), await readFile(join(front.directory, name)));
      const run = await kpush(["-n", namespace, "--docker-context", "build", "kpush-e2e-none:v1"], {
        env: { DOCKER_CONFIG: config },
      });
      expect(run).toMatchObject({ code: 3 });
      expect(run.stderr).toContain(`at ${Host} has no image kpush-e2e-none:v1`);
    } finally {
      await rm(config, { recursive: true, force: true });
    }
  });
});

const noSsh = skipUnless(sshdPath, "engines by ssh", "there is no sshd on this machine");
describe.skipIf(noSsh).each(onSockets)("$name, by ssh to this machine", (engine) => {
  let server: SshServer;
  beforeAll(async () => {
    server = await sshServer(sshdPath ?? "");
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  const ended = async () => {
    const pids = await server.clients();
    expect(pids.length).toBeGreaterThan(0);
    return pids.filter(isAlive);
  };

  test("is read and pushes as by its socket, and no ssh is left", async () => {
    const { env, address } = server;
    await pushBothWays(engine, "ssh", { env, host: address + socketOf(engine.host) });
    await expect.poll(ended, { timeout: 10_000 }).toEqual([]);
  });

  test("leaves no ssh when it is interrupted", async () => {
    const name = `kpush-e2e-ssh-cut-${engine.name.toLowerCase()}:v1`;
    await load(engine, { name, layers: [80 * MiB], seed: randomUUID() });
    try {
      const { env, address } = server;
      const host = address + socketOf(engine.host);
      const args = ["-n", namespace, "-v", "--route", "direct", name];
      const pushing = start(args, { env, host });
      await pushing.saw(/POST \/v2\//);
      pushing.child.kill("SIGINT");
      expect((await pushing.ended).code).toBe(130);
      await expect.poll(ended, { timeout: 10_000 }).toEqual([]);
    } finally {
      await remove(engine, name);
    }
  });
});

test.skipIf(noSsh)("a host whose key is not known is refused, without a question", async () => {
  await using server = await sshServer(sshdPath ?? "");
  // Another name for the same machine, which the test's known_hosts lacks.
  const host = server.address.replace("127.0.0.1", "localhost");
  const run = await kpush(["-n", namespace, "kpush-e2e-none:v1"], { env: server.env, host });
  expect(run).toMatchObject({ code: 3 });
  expect(run.stderr).toContain("Host key verification failed");
});

/** What has ended may wait to be reaped by whoever inherited it. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
