import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeImage } from "./support/images.ts";
import { start } from "./support/kpush.ts";
import { deleteRegistryPod, registryIn } from "./support/registry.ts";
import { slowLink } from "./support/slow-link.ts";

const MiB = 1 << 20;
const namespace = "kpush-e2e-next-pod";

test("an upload goes on where the lost pod stood, on the one that takes over its volume", async () => {
  await using _registry = await registryIn(namespace, "registry:3", { keeps: true });
  await using link = await slowLink(40e6);
  const directory = await mkdtemp(join(tmpdir(), "kpush-e2e-"));
  const file = (name: string) => join(directory, name);
  try {
    await writeFile(file("kubeconfig"), link.kubeconfig, { mode: 0o600 });
    await writeImage(file("app.tar"), { name: "app:v1", layers: [200 * MiB], seed: randomUUID() });
    const pushing = start(["-n", namespace, "--compression", "none", file("app.tar")], {
      env: { KUBECONFIG: file("kubeconfig") },
    });
    await link.passed(100 * MiB);
    await deleteRegistryPod(namespace);
    const ended = await pushing.ended;
    expect(ended, ended.stderr).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^localhost:5000\/app:v1@sha256:\w+\n$/) as string,
    });
    expect(ended.stderr).toContain("is gone");
    // What was on its way when the pod went is sent again, and no more.
    expect(link.sent).toBeLessThan(230 * MiB);
  } finally {
    await rm(directory, { recursive: true });
  }
});
