import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { skipUnless, toolPath } from "./support/environment.ts";
import { writeImage } from "./support/images.ts";
import { kpush } from "./support/kpush.ts";
import { registryIn } from "./support/registry.ts";

const namespace = "kpush-e2e-tunnel";

let registry: AsyncDisposable;
let directory: string;
beforeAll(async () => {
  registry = await registryIn(namespace, "registry:3");
  directory = await mkdtemp(join(tmpdir(), "kpush-e2e-"));
  const layers = [5 << 20, 1 << 20, 1000];
  await writeImage(join(directory, "app.tar"), { name: "app:v1", layers, seed: randomUUID() });
  await writeFile(join(directory, "note.txt"), "a note\n");
  await mkdir(join(directory, "chart"));
  await writeFile(
    join(directory, "chart/Chart.yaml"),
    "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
  );
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
  await registry[Symbol.asyncDispose]();
});

/** Runs a shell's line by `kpush tunnel --`, in the directory of the files. */
const inTunnel = (line: string, env: NodeJS.ProcessEnv = {}) =>
  kpush(["-n", namespace, "tunnel", "--", "sh", "-c", `cd ${directory} && ${line}`], { env });

/** Command lines as the README has them: what sends something, and what has it again. */
const tools = [
  [
    "crane",
    "crane push app.tar $KPUSH_REGISTRY/crane:v1",
    "crane validate --remote $KPUSH_REGISTRY/crane:v1",
  ],
  [
    "skopeo",
    "skopeo copy --dest-tls-verify=false docker-archive:app.tar docker://$KPUSH_REGISTRY/skopeo:v1",
    "skopeo copy --src-tls-verify=false docker://$KPUSH_REGISTRY/skopeo:v1 dir:out",
  ],
  [
    "oras",
    "oras push --plain-http $KPUSH_REGISTRY/oras:v1 note.txt",
    "oras pull --plain-http -o got $KPUSH_REGISTRY/oras:v1 && cmp note.txt got/note.txt",
  ],
  [
    "helm",
    "helm package chart && helm push --plain-http chart-1.0.0.tgz oci://$KPUSH_REGISTRY/charts",
    "helm show chart --plain-http oci://$KPUSH_REGISTRY/charts/chart",
  ],
] as const;

for (const [tool, send, fetch] of tools) {
  const path = toolPath(tool);
  const skip = skipUnless(path, `kpush tunnel -- ${tool}`, `there is no ${tool} in PATH`);
  test.skipIf(skip)(`${tool} sends and fetches by kpush tunnel --`, async () => {
    for (const line of [send, fetch]) {
      const run = await inTunnel(line.replaceAll(`${tool} `, `${path} `));
      expect(run, run.stderr).toMatchObject({ code: 0 });
    }
  });
}

/** The user's own files, which name a store of all logins; it has none, and notes what it is asked for. */
async function withStore(): Promise<{ env: NodeJS.ProcessEnv; asked: string }> {
  const own = join(directory, "with-store");
  const asked = join(own, "asked");
  await mkdir(own, { recursive: true });
  await writeFile(asked, "");
  const none = "credentials not found in native keychain";
  const store = `#!/bin/sh\n{ cat; echo; } >>${asked}\necho ${none}\nexit 1\n`;
  await writeFile(join(own, "docker-credential-keys"), store, { mode: 0o755 });
  const file = join(own, "config.json");
  await writeFile(file, JSON.stringify({ credsStore: "keys" }));
  const path = `${own}:${process.env["PATH"] ?? ""}`;
  return { env: { DOCKER_CONFIG: own, HELM_REGISTRY_CONFIG: file, PATH: path }, asked };
}

for (const [tool, , line] of tools) {
  if (tool === "skopeo") continue; // it knows of no such store
  const path = toolPath(tool);
  // Skipping was said above.
  test.skipIf(!path)(`${tool} finds the login where a store has all`, async () => {
    const { env, asked } = await withStore();
    const run = await inTunnel(line.replaceAll(`${tool} `, `${path} `), env);
    expect(run, run.stderr).toMatchObject({ code: 0 });
    expect(await readFile(asked, "utf8")).not.toContain("127.0.0.1");
  });
}

test("the status of a tool is that of kpush", async () => {
  expect(await inTunnel("exit 9")).toMatchObject({ code: 9, stdout: "" });
});
