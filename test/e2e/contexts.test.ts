import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines } from "./support/environment.ts";
import { load, remove } from "./support/engine.ts";
import { kpush } from "./support/kpush.ts";
import { kubectl } from "./support/kubectl.ts";
import { registryIn } from "./support/registry.ts";

const contexts = ["staging", "prod"];
const namespaceOf = (context: string) => `kpush-e2e-${context}`;
const both = contexts.flatMap((context) => ["--context", context]);

let registries: AsyncDisposable[];
let directory: string;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  registries = await Promise.all(contexts.map((one) => registryIn(namespaceOf(one), "registry:3")));
  directory = await mkdtemp(join(tmpdir(), "kpush-e2e-"));
  const view = ["config", "view", "--raw", "--flatten", "--minify", "-o", "json"];
  const config = JSON.parse(await kubectl(view)) as { contexts: { context: object }[] };
  const [{ context } = { context: {} }] = config.contexts;
  config.contexts = contexts.map((name) => ({
    ...{ name, context: { ...context, namespace: namespaceOf(name) } },
  }));
  env = { KUBECONFIG: join(directory, "kubeconfig") };
  await writeFile(join(directory, "kubeconfig"), JSON.stringify(config), { mode: 0o600 });
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  for (const registry of registries) await registry[Symbol.asyncDispose]();
});

describe.each(engines)("from $name", ({ name: kind, host }) => {
  const name = `kpush-e2e-contexts-${kind.toLowerCase()}:v1`;
  beforeAll(() => load({ name: kind, host }, { name, layers: [5 << 20], seed: randomUUID() }));
  afterAll(() => remove({ name: kind, host }, name));

  test.for(["daemon", "direct"])(
    "an image goes to both contexts by the %s route",
    async (route) => {
      const target = `${name.replace(/:.*/, "")}-${route}:v1`;
      const args = [...both, "--route", route, "--name", target, name];
      const pushed = await kpush(args, { host, env });
      expect(pushed, pushed.stderr).toMatchObject({ code: 0 });
      const reference = `localhost:5000/${target}@sha256:[0-9a-f]{64}\n`;
      expect(pushed.stdout).toMatch(new RegExp(`^(${reference})\\1$`));
      for (const context of contexts)
        expect(pushed.stderr).toMatch(
          new RegExp(`${namespaceOf(context)}/\\S+ in context ${context}`),
        );

      const again = await kpush(["--json", ...args], { host, env });
      expect(JSON.parse(again.stdout)).toMatchObject({
        ok: true,
        images: contexts.map((context) => ({ context, route: "none" })),
      });
    },
  );
});
