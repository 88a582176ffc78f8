import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { load as parseYaml } from "js-yaml";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runAction } from "../fakes/run-action.ts";
import { engines, kubeconfig, kubectlPath, skipUnless, toolPath } from "./support/environment.ts";
import { load, remove } from "./support/engine.ts";
import { writeImage } from "./support/images.ts";
import { apply, kubectl } from "./support/kubectl.ts";
import { pulledRegistry } from "./support/registry.ts";

const namespace = "kpush-e2e-recipes";
const repository = new URL("../../", import.meta.url);
const [engine = { name: "", host: "" }] = engines;
const image = { name: "myapp:dev", layers: [1 << 20, 1000], seed: randomUUID() };
const reference = /^localhost:5000\/myapp:dev@sha256:[0-9a-f]{64}$/;

let registry: AsyncDisposable;
let directory: string;
beforeAll(async () => {
  registry = await pulledRegistry();
  directory = await mkdtemp(join(tmpdir(), "kpush-e2e-"));
  const program = fileURLToPath(new URL("bin/kpush.js", repository));
  await mkdir(join(directory, "bin"));
  const node = process.execPath;
  for (const [name, command] of [
    ["kpush", `exec ${node} ${program} "$@"`],
    ["kubectl", `exec ${kubectlPath} --namespace ${namespace} "$@"`],
    ["npx", 'command=${2%%@*}; shift 2; exec "$command" "$@"'],
  ] as const) {
    await writeFile(join(directory, "bin", name), `#!/bin/sh\n${command}\n`);
    await chmod(join(directory, "bin", name), 0o755);
  }
  await apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
  await load(engine, image);
});
afterAll(async () => {
  await kubectl(["delete", "namespace", namespace, "--wait=false"]);
  await remove(engine, image.name);
  await rm(directory, { recursive: true, force: true });
  await registry[Symbol.asyncDispose]();
});

/** The code under a heading of a page, as it stands there. */
async function codeOf(page: string, heading: string, language: string): Promise<string> {
  const text = await readFile(new URL(`docs/${page}`, repository), "utf8");
  const section = text.split(/^#+ /m).find((one) => one.startsWith(`${heading}\n`)) ?? "";
  const code = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "m").exec(section)?.[1];
  if (code === undefined) throw new Error(`docs/${page} has no ${language} under ${heading}`);
  return code;
}

/** Runs a shell's lines where `kpush` is this one, and kubectl is in the namespace of the test. */
async function sh(lines: string, env: Record<string, string> = {}, shell = "sh"): Promise<string> {
  const tools = [join(directory, "bin"), dirname(toolPath("helm") ?? "/bin/sh")];
  const child = spawn(shell, ["-e", "-c", lines], {
    cwd: directory,
    env: {
      ...process.env,
      ...{ KUBECONFIG: kubeconfig, DOCKER_HOST: engine.host },
      HELM_NAMESPACE: namespace,
      PATH: [...tools, process.env["PATH"]].join(":"),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`${lines}: ${String(code)}: ${out}${errors}`);
  return out;
}

const deployment = (name: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "myapp" },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: "myapp" } },
    template: {
      metadata: { labels: { app: "myapp" } },
      spec: { containers: [{ name: "myapp", image: name }] },
    },
  },
});
const deploy = () =>
  kubectl(["-n", namespace, "apply", "-f", "-"], JSON.stringify(deployment("none")));
const deployed = () =>
  kubectl([
    ...["-n", namespace, "get", "deployment", "myapp", "-o"],
    "jsonpath={.spec.template.spec.containers[0].image}",
  ]);

test("kubectl set image", async () => {
  await deploy();
  await sh(await codeOf("recipes.md", "kubectl", "sh"));
  expect(await deployed()).toMatch(reference);
});

const docker = toolPath("docker") && toolPath("make");
test.skipIf(skipUnless(docker, "the Makefile", "docker and make are not both in PATH"))(
  "the Makefile pushes after a build, and only then",
  async () => {
    await deploy();
    await mkdir(join(directory, "src"));
    await writeFile(join(directory, "src/a"), randomUUID());
    await writeFile(join(directory, "Dockerfile"), "FROM scratch\nCOPY src /src\n");
    await writeFile(join(directory, "Makefile"), await codeOf("recipes.md", "make", "make"));
    expect(await sh("make deploy")).toContain("kpush -q");
    expect(await deployed()).toMatch(reference);
    const before = await deployed();
    expect(await sh("make deploy")).not.toMatch(/kpush|docker/);
    await writeFile(join(directory, "src/a"), randomUUID());
    await sh("touch -d '1 minute ago' .built Dockerfile");
    expect(await sh("make deploy")).toContain("kpush -q");
    expect(await deployed()).not.toBe(before);
    await load(engine, image);
  },
);

test.skipIf(skipUnless(toolPath("helm"), "the recipe for Helm", "there is no helm in PATH"))(
  "Helm",
  async () => {
    await kubectl(["-n", namespace, "delete", "deployment", "myapp", "--ignore-not-found"]);
    await mkdir(join(directory, "chart/templates"), { recursive: true });
    const chart = "apiVersion: v2\nname: myapp\nversion: 1.0.0\n";
    await writeFile(join(directory, "chart/Chart.yaml"), chart);
    const template = JSON.stringify(deployment("{{ .Values.image }}"));
    await writeFile(join(directory, "chart/templates/deployment.yaml"), template);
    await sh(await codeOf("recipes.md", "Helm", "sh"));
    expect(await deployed()).toMatch(reference);
    await sh("helm uninstall myapp");
  },
);

test("kustomize", async () => {
  await mkdir(join(directory, "deploy"));
  await writeFile(join(directory, "deploy/app.yaml"), JSON.stringify(deployment("myapp")));
  const kustomization = "resources: [app.yaml]\ntransformers: [image.yaml]\n";
  await writeFile(join(directory, "deploy/kustomization.yaml"), kustomization);
  await sh(await codeOf("recipes.md", "kustomize", "sh"));
  expect(await deployed()).toMatch(/^localhost:5000\/myapp@sha256:[0-9a-f]{64}$/);
});

test("the command for Tilt leaves the reference in a file", async () => {
  const tilt = await codeOf("recipes.md", "Tilt", "python");
  await sh(/docker build .* && (kpush [^']*)/.exec(tilt)?.[1] ?? "exit 1");
  expect((await readFile(join(directory, ".image"), "utf8")).trim()).toMatch(reference);
});

const hooks = ["git", "lefthook", "husky"].every((tool) => toolPath(tool) !== undefined);
test
  .skipIf(skipUnless(hooks, "the git hooks", "git, lefthook and husky are not all to be found"))
  .for([
    ["lefthook", "lefthook.yml", "yaml", "lefthook install"],
    ["husky", ".husky/pre-push", "sh", "husky"],
  ] as const)(
  "%s pushes the image with the code, or neither",
  async ([tool, file, language, install]) => {
    const own = join(directory, tool);
    await mkdir(dirname(join(own, file)), { recursive: true });
    await writeFile(join(own, file), await codeOf("recipes.md", "Git hooks", language));
    const env = { GIT_CONFIG_GLOBAL: "/dev/null", CI: "" };
    const git = (lines: string, more = {}) => sh(`cd ${tool}\n${lines}`, { ...env, ...more });
    const push = "git push -q origin HEAD:refs/heads/main";
    const commit = "git add . && git -c user.name=a -c user.email=a@b.c commit -q -m a";
    await sh(`git init -q --bare ${tool}.git`);
    await git(`git init -q .\ngit remote add origin ../${tool}.git\n${install}\n${commit}`);

    await expect(git(push, { DOCKER_HOST: "unix:///nowhere.sock" })).rejects.toThrow(
      "nowhere.sock",
    );
    expect(await git("git ls-remote origin")).toBe("");
    await git(push);
    expect((await readFile(join(own, ".image"), "utf8")).trim()).toMatch(reference);
    expect(await git("git ls-remote origin")).toContain("refs/heads/main");
  },
);

test("a service account with the Role alone pushes in the jobs of GitHub and GitLab, and by the action", async () => {
  const user = { kind: "ServiceAccount", name: "builder", namespace };
  const inNamespace = {
    name: "kpush-e2e-recipes",
    namespace: "kube-system",
  };
  const rules = [
    { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
    { apiGroups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] },
  ];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: inNamespace.name };
  const group = "rbac.authorization.k8s.io/v1";
  await apply([
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "builder", namespace } },
    { apiVersion: group, kind: "Role", metadata: inNamespace, rules },
    { apiVersion: group, kind: "RoleBinding", metadata: inNamespace, roleRef, subjects: [user] },
  ]);
  try {
    const kubeconfigLines = (
      await codeOf("ci.md", "kpush in CI", "sh\\nkubeconfig=ci.kubeconfig")
    ).replaceAll("--namespace ci", `--namespace ${namespace}`);
    await sh(`kubeconfig=ci.kubeconfig\n${kubeconfigLines}`);
    const own = join(directory, "ci.kubeconfig");
    expect((await stat(own)).mode & 0o777).toBe(0o600);

    const steps = parseYaml(await codeOf("ci.md", "GitHub Actions", "yaml")) as { run: string }[];
    const output = join(directory, "output");
    await sh(
      steps[1]?.run ?? "exit 1",
      {
        KUBECONFIG_TEXT: await readFile(own, "utf8"),
        ...{ KUBECONFIG: "", RUNNER_TEMP: directory, GITHUB_OUTPUT: output, GITHUB_SHA: "dev" },
      },
      "bash",
    );
    expect(await readFile(output, "utf8")).toMatch(/^image=localhost:5000\/myapp:dev@sha256:/);
    await expect(stat(join(directory, "kubeconfig"))).rejects.toThrow("ENOENT");

    const runner = { directory, env: { DOCKER_HOST: engine.host } };
    const given = { images: image.name, kubeconfig: await readFile(own, "utf8") };
    const ran = await runAction(runner, given);
    expect(ran, ran.log).toMatchObject({ failed: false });
    expect(ran.outputs["reference"]).toMatch(reference);

    const { push } = parseYaml(await codeOf("ci.md", "GitLab CI", "yaml")) as {
      push: { script: string[] };
    };
    await writeImage(join(directory, "image.tar"), image);
    await sh(push.script.join("\n"), { KUBECONFIG: own });
    expect((await readFile(join(directory, "image.txt"), "utf8")).trim()).toMatch(reference);
  } finally {
    for (const kind of ["rolebinding", "role"])
      await kubectl(["-n", inNamespace.namespace, "delete", kind, inNamespace.name]);
  }
});
