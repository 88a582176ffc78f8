import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clusterScript, engines, skipUnless } from "./support/environment.ts";
import { load, names, remove } from "./support/engine.ts";
import { slowLink } from "./support/slow-link.ts";
import { kpush, start } from "./support/kpush.ts";
import { apply, kubectl } from "./support/kubectl.ts";
import {
  deleteRegistryPod,
  emptyRegistry,
  registryIn,
  waitForRegistry,
} from "./support/registry.ts";

const MiB = 1 << 20;
const namespace = "kpush-e2e-trouble";
const run = promisify(execFile);
const limit = (rate: string) => run(clusterScript, ["limit", rate]);
const noLimit = clusterScript === "";

/** An image of 300 MB that each engine has. */
const nameFrom = (engine: string) => `kpush-e2e-trouble-${engine.toLowerCase()}:v1`;

let registry: AsyncDisposable;
beforeAll(async () => {
  registry = await registryIn(namespace, "registry:3");
  for (const engine of engines) {
    const layers = Array.from({ length: 5 }, () => 60 * MiB);
    await load(engine, { name: nameFrom(engine.name), layers, seed: randomUUID() });
  }
});
afterAll(async () => {
  if (!noLimit) await limit("off");
  for (const engine of engines) await remove(engine, nameFrom(engine.name));
  await registry[Symbol.asyncDispose]();
});

describe("over a link of 40 Mbit/s", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "kpush-e2e-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  // All at once, as each takes a minute: every push has a link, a process and a repository of its own.
  test.concurrent.for(
    engines.flatMap((engine) =>
      ["daemon", "direct"].map((route) => [engine.name, route, engine] as const),
    ),
  )("300 MB from %s by the %s route stay under 110 MB of memory", async ([name, route, engine]) => {
    const target = `kpush-e2e-far-${route}-${name.toLowerCase()}:v1`;
    await using link = await slowLink(40e6 / 8);
    const config = join(directory, target.replace(":", "-"));
    await writeFile(config, link.kubeconfig, { mode: 0o600 });
    const args = ["-n", namespace, "--route", route, "--name", target, nameFrom(name)];
    const pushed = await kpush(args, { host: engine.host, env: { KUBECONFIG: config } });
    expect(pushed).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`/${target}@sha256:`) as string,
    });
    expect(link.sent).toBeGreaterThan(300 * MiB);
    expect(pushed.peakMemory).toBeLessThan(110);
    expect(pushed.peakMemory).toBeGreaterThan(20);
  });
});

describe.skipIf(
  skipUnless(
    !noLimit,
    "pushes over a slow link",
    "KPUSH_E2E_CLUSTER names no script that limits the link",
  ),
)("over a slow link", () => {
  describe.each(engines)("from $name", (engine) => {
    const name = nameFrom(engine.name);
    afterAll(() => limit("off"));

    test.for(["daemon", "direct"] as const)(
      "a registry pod deleted in the middle of the %s route is replaced, and the push ends right",
      async (route) => {
        const target = `kpush-e2e-lost-${route}-${engine.name.toLowerCase()}:v1`;
        await emptyRegistry(namespace);
        await limit("400mbit");
        const pushing = start(["-n", namespace, "-v", "--route", route, "--name", target, name], {
          host: engine.host,
        });
        await pushing.saw(/: sending/);
        await deleteRegistryPod(namespace);
        const ended = await pushing.ended;
        await waitForRegistry(namespace);
        expect(ended).toMatchObject({
          code: 0,
          stdout: expect.stringContaining(`/${target}@sha256:`) as string,
        });
        expect(ended.stderr).toContain("is gone");
      },
    );

    test("Ctrl-C in the middle leaves no tag, port, file or process behind", async () => {
      const before = await readdir(tmpdir());
      for (const route of ["daemon", "direct"]) {
        await emptyRegistry(namespace);
        await limit("20mbit");
        const pushing = start(
          ["-n", namespace, "-v", "--route", route, "--name", `kpush-e2e-cut-${route}:v1`, name],
          { host: engine.host },
        );
        await pushing.saw(/: sending/);
        pushing.child.kill("SIGINT");
        const ended = await pushing.ended;
        expect(ended).toMatchObject({ code: 130, stdout: "" });
      }
      await limit("off");
      expect(await names(engine)).not.toContainEqual(expect.stringMatching(/^127\.0\.0\.1:/));
      const left = (await readdir(tmpdir())).filter(
        (file) =>
          file.startsWith("kpush-") && !file.startsWith("kpush-e2e-") && !before.includes(file),
      );
      expect(left).toEqual([]);
    });
  });
});

describe("a user with few rights", () => {
  const [engine] = engines;
  const name = "kpush-e2e-rights:v1";
  let directory: string;
  beforeAll(async () => {
    if (!engine) throw new Error("no engine");
    directory = await mkdtemp(join(tmpdir(), "kpush-e2e-"));
    await load(engine, { name, layers: [MiB], seed: randomUUID() });
    for (const [user, verbs] of Object.entries({
      pusher: ["get", "create"],
      getter: ["get"],
      lister: [] as string[],
    })) {
      await apply([
        { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: user, namespace } },
        {
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "Role",
          metadata: { name: user, namespace },
          rules: [
            { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
            ...(verbs.length > 0
              ? [{ apiGroups: [""], resources: ["pods/portforward"], verbs }]
              : []),
          ],
        },
        {
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "RoleBinding",
          metadata: { name: user, namespace },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: user },
          subjects: [{ kind: "ServiceAccount", name: user, namespace }],
        },
      ]);
    }
  });
  afterAll(async () => {
    if (engine) await remove(engine, name);
    await rm(directory, { recursive: true });
  });

  async function pushAs(user: string) {
    const token = (await kubectl(["-n", namespace, "create", "token", user])).trim();
    const config = JSON.parse(
      await kubectl(["config", "view", "--raw", "--flatten", "--minify", "-o", "json"]),
    ) as { users: { user: object }[] };
    for (const entry of config.users) entry.user = { token };
    const file = join(directory, user);
    await writeFile(file, JSON.stringify(config), { mode: 0o600 });
    return kpush(["-n", namespace, name], {
      ...(engine ? { host: engine.host } : {}),
      env: { KUBECONFIG: file },
    });
  }

  test("can push with list pods and get and create pods/portforward alone", async () => {
    expect(await pushAs("pusher")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`/${name}@sha256:`) as string,
    });
  });

  test("is told which verb is missing", async () => {
    const getter = await pushAs("getter");
    expect(getter.code).toBe(4);
    expect(getter.stderr).toMatch(/create.*pods\/portforward/);
    const lister = await pushAs("lister");
    expect(lister.code).toBe(4);
    expect(lister.stderr).toMatch(/get.*pods\/portforward/);
  });
});

test("a process of another user cannot use the tunnel without its password", async () => {
  const holding = start(["tunnel", "-n", namespace]);
  try {
    const [address] = await holding.saw(/127\.0\.0\.1:\d+/);
    const script = `fetch("http://${address}/v2/").then((answer) => console.log(answer.status))`;
    const identity = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const { stdout } = await run(process.execPath, ["-e", script], identity);
    expect(stdout.trim()).toBe("401");
  } finally {
    holding.child.kill("SIGTERM");
    expect((await holding.ended).code).toBe(143);
  }
});
