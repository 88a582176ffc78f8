import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { clusterScript, kubeconfig, skipUnless } from "./support/environment.ts";
import { writeImage } from "./support/images.ts";
import { apply, kubectl } from "./support/kubectl.ts";
import { registryIn } from "./support/registry.ts";

const run = promisify(execFile);
const namespace = "kpush-e2e-inside";
const program = fileURLToPath(new URL("../../bin/kpush.js", import.meta.url));
const apiGroup = "rbac.authorization.k8s.io";
const metadata = { name: "find", namespace };

/** The one right that is left of all when the pod is dialled. */
const mayOnlyList = [
  {
    ...{ apiVersion: `${apiGroup}/v1`, kind: "Role", metadata },
    rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }],
  },
  {
    ...{ apiVersion: `${apiGroup}/v1`, kind: "RoleBinding", metadata },
    roleRef: { apiGroup, kind: "Role", name: metadata.name },
    subjects: [{ kind: "ServiceAccount", name: "default", namespace }],
  },
];

const isRoot = process.getuid?.() === 0;
test.skipIf(
  skipUnless(
    clusterScript !== "" && isRoot,
    "a push from a pod's place",
    "needs root and KPUSH_E2E_CLUSTER",
  ),
)("a service account that may do no more than list pods pushes from inside", async () => {
  await using _registry = await registryIn(namespace, "registry:3");
  await apply(mayOnlyList);
  const directory = await mkdtemp(join(tmpdir(), "kpush-inside-"));
  const file = (name: string) => join(directory, name);
  try {
    await mkdir(file("serviceaccount"));
    const token = await kubectl(["-n", namespace, "create", "token", "default"]);
    await writeFile(file("serviceaccount/token"), token.trim());
    await writeFile(file("serviceaccount/namespace"), namespace);
    const { clusters } = JSON.parse(
      await kubectl(["config", "view", "--raw", "--kubeconfig", kubeconfig, "-o", "json"]),
    ) as { clusters: { cluster: { server: string; "certificate-authority-data": string } }[] };
    const [{ cluster } = { cluster: { server: "", "certificate-authority-data": "" } }] = clusters;
    const authority = Buffer.from(cluster["certificate-authority-data"], "base64");
    await writeFile(file("serviceaccount/ca.crt"), authority);
    const { hostname, port } = new URL(cluster.server);
    const image = { name: "kpush-e2e-inside:v1", layers: [5 << 20], seed: randomUUID() };
    await writeImage(file("app.tar"), image);
    // A pod's place: a node's network, and the service account where Kubernetes mounts it.
    await writeFile(
      file("run.sh"),
      `set -e
mount -t tmpfs kpush /run
mkdir -p /run/secrets/kubernetes.io
cp -r '${file("serviceaccount")}' /run/secrets/kubernetes.io/
exec env -i PATH="$PATH" HOME='${directory}' KUBERNETES_SERVICE_HOST='${hostname}' \\
  KUBERNETES_SERVICE_PORT='${port}' '${process.execPath}' '${program}' -v '${file("app.tar")}'
`,
    );
    const inPod = ["node", "1", "unshare", "-m", "bash", file("run.sh")];
    const { stdout, stderr } = await run(clusterScript, inPod);
    expect(stdout).toMatch(/^localhost:5000\/kpush-e2e-inside:v1@sha256:[0-9a-f]{64}\n$/);
    expect(stderr).toContain("in context in-cluster");
    expect(stderr).toContain("dialling the pod itself");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
