import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { engines } from "./support/environment.ts";
import { load, remove } from "./support/engine.ts";
import { writeImage } from "./support/images.ts";
import { kpush } from "./support/kpush.ts";
import { apply } from "./support/kubectl.ts";
import { registryIn } from "./support/registry.ts";

const MiB = 1 << 20;
const namespace = "kpush-e2e-proxy";
const user = "kpush-e2e-proxy-user";
const args = ["-n", namespace, "--as", user, "-v"];

let registry: AsyncDisposable;
beforeAll(async () => {
  registry = await registryIn(namespace, "registry:3");
  const metadata = { name: "proxy-only", namespace };
  const apiGroup = "rbac.authorization.k8s.io";
  await apply([
    {
      ...{ apiVersion: `${apiGroup}/v1`, kind: "Role", metadata },
      rules: [
        { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
        {
          apiGroups: [""],
          resources: ["pods/proxy"],
          verbs: ["get", "create", "update", "patch"],
        },
      ],
    },
    {
      ...{ apiVersion: `${apiGroup}/v1`, kind: "RoleBinding", metadata },
      roleRef: { apiGroup, kind: "Role", name: metadata.name },
      subjects: [{ apiGroup, kind: "User", name: user }],
    },
  ]);
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
});

test("who may use the proxy to pods and no port-forward pushes an archive", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kpush-e2e-"));
  const file = join(directory, "app.tar");
  try {
    const name = "kpush-e2e-proxied:v1";
    await writeImage(file, { name, layers: [40 * MiB, MiB], seed: randomUUID() });
    const first = await kpush([...args, file]);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stderr).toContain("the proxy to pods takes its place");
    const again = await kpush([...args, file]);
    expect(again).toMatchObject({ code: 0, stdout: first.stdout });
    expect(again.stderr).toContain("unchanged");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test.for(engines)("$name pushes by it, too", async (engine) => {
  const name = `kpush-e2e-proxied-${engine.name.toLowerCase()}:v1`;
  await load(engine, { name, layers: [12 * MiB, MiB], seed: randomUUID() });
  try {
    const run = await kpush([...args, name], { host: engine.host });
    expect(run).toMatchObject({ code: 0 });
    expect(run.stderr).toContain("the proxy to pods takes its place");
  } finally {
    await remove(engine, name);
  }
});
