import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines, skipUnless } from "./support/environment.ts";
import { imageId, load, names, remove, takesOci } from "./support/engine.ts";
import { writeImage } from "./support/images.ts";
import { kpush } from "./support/kpush.ts";
import { kubectl, runOnEveryNode } from "./support/kubectl.ts";
import { oldRegistry, registryIn } from "./support/registry.ts";
import { slowLink } from "./support/slow-link.ts";

const MiB = 1 << 20;
const namespace = "kpush-e2e-push";
const reference = (name: string) => new RegExp(`^localhost:5000/${name}@sha256:[0-9a-f]{64}\\n$`);

let old: AsyncDisposable;
let second: AsyncDisposable;
beforeAll(async () => {
  old = await oldRegistry();
  second = await registryIn(namespace, "registry:2");
});
afterAll(async () => {
  await second[Symbol.asyncDispose]();
  await old[Symbol.asyncDispose]();
});

const formats = new Map<string, ("docker" | "oci")[]>();
for (const engine of engines)
  formats.set(engine.name, (await takesOci(engine)) ? ["docker", "oci"] : ["docker"]);

describe.each(engines)("from $name", (engine) => {
  const { host } = engine;
  const own = formats.get(engine.name) ?? [];

  test("--dry-run tells of a rebuilt image which step would be sent, and sends nothing", async () => {
    const name = `kpush-e2e-dry-${engine.name.toLowerCase()}:v1`;
    const history = [
      { created_by: "/bin/sh -c #(nop) ADD rootfs.tar in / " },
      { created_by: "ENV A=1", empty_layer: true as const },
      { created_by: "COPY . . # buildkit" },
    ];
    const image = { name, layers: [2 * MiB, MiB], seed: randomUUID(), history };
    await load(engine, image);
    try {
      const first = await kpush(["-v", name], { host });
      expect(first.code).toBe(0);
      expect(first.stderr).toMatch(/^· .* 2\.1 MB {2}ADD rootfs\.tar in \/$/m);
      expect(first.stderr).toMatch(/^· .* 1\.[01] MB {2}COPY \. \.$/m);
      await load(engine, { ...image, last: "rebuilt" });
      const rebuilt = await kpush(["--dry-run", name], { host });
      expect(rebuilt.stdout).toMatch(/^ {2}present +2\.1 MB {2}ADD rootfs\.tar in \/$/m);
      expect(rebuilt.stdout).toMatch(/^ {2}new +1\.[01] MB {2}COPY \. \.$/m);
      expect(rebuilt.stdout).toMatch(/^ {2}1 of 2 layers, .* would be sent\n$/m);
      await load(engine, image);
      const unchanged = await kpush(["--dry-run", name], { host });
      expect(unchanged.stdout).toContain("  nothing would be sent\n");
    } finally {
      await remove(engine, name);
    }
  });

  test.for(own)(
    "a %s image is pushed, runs on every node, and is then unchanged",
    async (format) => {
      const name = `kpush-e2e-${format}-${engine.name.toLowerCase()}:v1`;
      const image = { name, layers: [2 * MiB, MiB], seed: randomUUID(), format };
      await load(engine, image);
      try {
        const first = await kpush([name], { host });
        expect(first).toMatchObject({
          code: 0,
          stdout: expect.stringMatching(reference(name)) as string,
        });
        expect(first.stderr).toContain("kube-system/kube-registry");
        await runOnEveryNode(first.stdout.trim(), namespace);
        const again = await kpush([name], { host });
        expect(again).toMatchObject({ code: 0, stdout: first.stdout });
        expect(again.stderr).toContain("unchanged");

        await load(engine, { ...image, cmd: ["/sleep", "longer"] });
        const changed = await kpush([name], { host });
        expect(changed).toMatchObject({
          code: 0,
          stdout: expect.stringMatching(reference(name)) as string,
        });
        expect(changed.stdout).not.toBe(first.stdout);
        expect(await names(engine)).not.toContainEqual(expect.stringMatching(/^127\.0\.0\.1:/));
      } finally {
        await remove(engine, name);
      }
    },
  );

  test("the direct route brings the same image, under the same id", async () => {
    const name = `kpush-e2e-direct-${engine.name.toLowerCase()}:v1`;
    await load(engine, { name, layers: [2 * MiB, MiB], seed: randomUUID() });
    try {
      const run = await kpush([name, "--route", "direct"], { host });
      expect(run).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(reference(name)) as string,
      });
      await runOnEveryNode(run.stdout.trim(), namespace);
      const again = await kpush([name], { host });
      expect(again).toMatchObject({ code: 0, stdout: run.stdout });
      expect(again.stderr).toContain("unchanged");
    } finally {
      await remove(engine, name);
    }
  });

  test("over a far link a rebuilt image is packed on its way, by whoever is quicker", async () => {
    const name = `kpush-e2e-rebuilt-${engine.name.toLowerCase()}:v1`;
    const content = "program" as const;
    const image = { name, layers: [MiB, MiB], seed: randomUUID(), content };
    const directory = await mkdtemp(join(tmpdir(), "kpush-e2e-"));
    await using link = await slowLink(40e6 / 8, 60);
    const config = join(directory, "kubeconfig");
    await writeFile(config, link.kubeconfig, { mode: 0o600 });
    const env = { KUBECONFIG: config };
    try {
      await load(engine, image);
      expect(await kpush([name], { host, env })).toMatchObject({ code: 0 });
      await load(engine, { ...image, last: "rebuilt" });
      const before = link.sent;
      const run = await kpush(["-v", name], { host, env });
      expect(run).toMatchObject({ code: 0 });
      if (engine.name === "containerd") expect(run.stderr).toContain("kpush packs it");
      expect(link.sent - before).toBeLessThan(0.9 * MiB);
      await runOnEveryNode(run.stdout.trim(), namespace);
      expect((await kpush([name], { host, env })).stderr).toContain("unchanged");
      expect(await names(engine)).not.toContainEqual(expect.stringMatching(/^127\.0\.0\.1:/));
    } finally {
      await remove(engine, name);
      await rm(directory, { recursive: true });
    }
  });

  test("an image for an architecture that no node has is refused, unless it is forced", async () => {
    const name = `kpush-e2e-arm-${engine.name.toLowerCase()}:v1`;
    await load(engine, { name, layers: [MiB], seed: randomUUID(), architecture: "arm64" });
    try {
      const refused = await kpush([name], { host });
      expect(refused).toMatchObject({ code: 3, stdout: "" });
      expect(refused.stderr).toContain("the nodes are linux/amd64, this image is linux/arm64\n");
      const forced = await kpush(["--force", name], { host });
      expect(forced).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(reference(name)) as string,
      });
    } finally {
      await remove(engine, name);
    }
  });

  test("an image without a name takes the direct route, and is still there afterwards", async () => {
    const name = `kpush-e2e-nameless-${engine.name.toLowerCase()}:v1`;
    await load(engine, { name, layers: [MiB], seed: randomUUID() });
    const id = await imageId(engine, name);
    const run = await kpush([id, "--name", "kpush-e2e-by-id:v1"], { host });
    expect(run).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(reference("kpush-e2e-by-id:v1")) as string,
    });
    expect(await imageId(engine, id)).toBe(id);
    await remove(engine, name);
  });

  test("two pushes at once both succeed", async () => {
    const [one, two] = ["one", "two"].map(
      (word) => `kpush-e2e-${word}-${engine.name.toLowerCase()}:v1`,
    ) as [string, string];
    await load(engine, { name: one, layers: [4 * MiB], seed: randomUUID() });
    await load(engine, { name: two, layers: [4 * MiB], seed: randomUUID() });
    try {
      const runs = await Promise.all([kpush([one], { host }), kpush([two], { host })]);
      expect(runs.map((run) => run.code)).toEqual([0, 0]);
      expect(await names(engine)).not.toContainEqual(expect.stringMatching(/^127\.0\.0\.1:/));
    } finally {
      await remove(engine, one);
      await remove(engine, two);
    }
  });

  test("--all-tags pushes each tag; by id and by digest an image keeps its first name", async () => {
    const repository = `kpush-e2e-tags-${engine.name.toLowerCase()}`;
    const tags = ["v1", "v2"].map((tag) => `${repository}:${tag}`);
    for (const name of tags) await load(engine, { name, layers: [1000], seed: name });
    try {
      const all = await kpush(["-a", repository], { host });
      const lines = all.stdout.trim().split("\n");
      expect(lines).toEqual(tags.map((tag) => expect.stringMatching(`/${tag}@sha256:`) as string));
      const id = await imageId(engine, tags[1] ?? "");
      const short = id.replace("sha256:", "").slice(0, 12);
      for (const name of [short, `sha256:${id.replace("sha256:", "")}`]) {
        const run = await kpush([name], { host });
        expect(run).toMatchObject({ code: 0, stdout: `${lines[1]}\n` });
      }
    } finally {
      for (const name of tags) await remove(engine, name);
    }
  });

  test("several images go over one tunnel, a reference line each", async () => {
    const all = ["first", "second"].map(
      (word) => `kpush-e2e-${word}-${engine.name.toLowerCase()}:v1`,
    );
    for (const name of all) await load(engine, { name, layers: [MiB], seed: randomUUID() });
    try {
      const run = await kpush(all, { host });
      expect(run.code).toBe(0);
      expect(
        run.stdout
          .trim()
          .split("\n")
          .map((line) => line.split("@")[0]),
      ).toEqual(all.map((name) => `localhost:5000/${name}`));
    } finally {
      for (const name of all) await remove(engine, name);
    }
  });

  test("distribution 2.8, in a namespace of its own, takes it too, under every tag", async () => {
    const name = `kpush-e2e-second-${engine.name.toLowerCase()}:v1`;
    await load(engine, { name, layers: [MiB], seed: randomUUID(), format: own.at(-1) ?? "docker" });
    try {
      const run = await kpush(["-n", namespace, "--tag", "stable", "--json", name], { host });
      expect(run.code).toBe(0);
      expect(JSON.parse(run.stdout)).toMatchObject({
        version: 1,
        ok: true,
        images: [{ image: name, tags: ["v1", "stable"] }],
      });
    } finally {
      await remove(engine, name);
    }
  });
});

const containerdStore = engines.find((engine) => engine.name === "containerd");
test.skipIf(
  skipUnless(
    containerdStore,
    "a multi-platform image of which one platform is there",
    "needs a containerd-store engine",
  ),
)("of a multi-platform image, the platform that is there is pushed and runs", async () => {
  if (!containerdStore) return;
  const name = "kpush-e2e-platforms:v1";
  await load(containerdStore, {
    name,
    layers: [MiB],
    seed: randomUUID(),
    format: "oci",
    absentPlatform: "linux/arm64",
  });
  try {
    const run = await kpush([name], { host: containerdStore.host });
    expect(run).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(reference(name)) as string,
    });
    await runOnEveryNode(run.stdout.trim(), namespace);
    const again = await kpush([name], { host: containerdStore.host });
    expect(again.stderr).toContain("unchanged");
  } finally {
    await remove(containerdStore, name);
  }
});

test("an archive is pushed without any engine", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kpush-e2e-"));
  const file = join(directory, "app.tar");
  try {
    await writeImage(file, { name: "kpush-e2e-archive:v1", layers: [2 * MiB], seed: randomUUID() });
    const run = await kpush([file], { host: "unix:///nowhere.sock" });
    expect(run).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(reference("kpush-e2e-archive:v1")) as string,
    });
    await runOnEveryNode(run.stdout.trim(), namespace);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("the printed reference is all of stdout, so that kubectl set image can take it", async () => {
  const engine = engines[0];
  if (!engine) throw new Error("no engine");
  const name = "kpush-e2e-set-image:v1";
  await load(engine, { name, layers: [MiB], seed: randomUUID() });
  try {
    const run = await kpush(["-q", name], { host: engine.host });
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const patched = await kubectl([
      "-n",
      "kube-system",
      "set",
      "image",
      "daemonset/kube-registry-proxy",
      "--dry-run=server",
      "-o",
      "jsonpath={.spec.template.spec.containers[0].image}",
      `*=${run.stdout.trim()}`,
    ]);
    expect(patched).toBe(run.stdout.trim());
  } finally {
    await remove(engine, name);
  }
});
