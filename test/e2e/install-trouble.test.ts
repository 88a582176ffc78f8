import { homedir } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import { openCluster } from "../../src/cluster/open.ts";
import type { Cluster } from "../../src/cluster/types.ts";
import { KpushError } from "../../src/errors.ts";
import type { KpushEvent } from "../../src/events.ts";
import { preflight } from "../../src/install/preflight/preflight.ts";
import { render } from "../../src/install/render/render.ts";
import { waitForRollout } from "../../src/install/rollout/wait.ts";
import { settingsOf } from "../../src/install/settings.ts";
import type { InstallOptions, InstallSettings } from "../../src/install/types.ts";
import { kubeconfig } from "./support/environment.ts";
import { apply, kubectl } from "./support/kubectl.ts";

/** Of the nodes; other tests have 5000, and a namespace that is on its way out still has its own. */
let nextPort = 5390;
const grace = { short: 4_000, long: 8_000 };
const never = new AbortController().signal;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster(
    { kubeconfig },
    {
      ...{ env: process.env, home: homedir(), cwd: process.cwd(), platform: process.platform },
      ...{ pluginStdin: "ignore", pluginStderr: () => undefined },
    },
    () => undefined,
    never,
  );
});
afterAll(() => cluster[Symbol.dispose]());

interface Scene extends AsyncDisposable {
  namespace: string;
  settings: InstallSettings;
  events: KpushEvent[];
  /** Applies the installation, with kubectl. */
  install(): Promise<void>;
  check(): ReturnType<typeof preflight>;
  wait(timeout?: number, signal?: AbortSignal): Promise<void>;
}

/** A namespace of its own, with an installation that is yet to come. */
async function scene(
  name: string,
  options: InstallOptions = {},
  labels: Record<string, string> = {},
): Promise<Scene> {
  const namespace = `kpush-e2e-${name}`;
  const settings = settingsOf({
    ...{ namespace, storage: "emptydir" },
    ...(options.nodeAccess === "none" ? {} : { nodePort: nextPort++ }),
    ...options,
  });
  const events: KpushEvent[] = [];
  const report = (event: KpushEvent) => events.push(event);
  // One of an earlier run may still be on its way out.
  await kubectl(["delete", "namespace", namespace, "--ignore-not-found"]);
  await apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } }]);
  return {
    ...{ namespace, settings, events },
    install: () => apply(render({ ...settings, makesNamespace: false })),
    check: () =>
      preflight(cluster, settings, { live: live(namespace, labels) }, { report, signal: never }),
    wait: (timeout = 90_000, signal = never) =>
      waitForRollout(
        cluster,
        { namespace, proxies: settings.nodeAccess !== "none" },
        { report, signal, timeout, grace },
      ),
    async [Symbol.asyncDispose]() {
      await kubectl(["delete", "namespace", namespace, "--wait=false"]);
    },
  };
}

const live = (name: string, labels: Record<string, string>): KubeObject[] => [
  { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
];
const text = (pattern: RegExp) => expect.stringMatching(pattern) as string;
/** As a plain object, so that what was said is seen where it is not what was expected. */
async function failureOf(doing: Promise<unknown>): Promise<object> {
  const error = await doing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof KpushError)) return { error };
  const { code, message, hint } = error;
  return { code, message, hint };
}
const alone = { nodeAccess: "none" } as const;

describe("an installation that is well", () => {
  test("is checked without a word, and is waited for", async () => {
    await using here = await scene("well");
    expect(await here.check()).toMatchObject({ ipv6Only: false, warnings: [] });
    await here.install();
    await here.wait();
    expect(here.events.filter(({ type }) => type === "step")).toEqual(
      [
        { type: "step", label: "registry", text: "ready" },
        { type: "step", label: "proxies", text: text(/^ready on \d nodes$/) },
      ].toSorted(),
    );
  });

  test("is interrupted at once", async () => {
    await using here = await scene("abort", { ...alone, nodeSelector: ["kpush-e2e=nowhere"] });
    await here.install();
    const interruption = new AbortController();
    const waiting = here.wait(90_000, interruption.signal);
    interruption.abort(new Error("Ctrl-C"));
    await expect(waiting).rejects.toThrow("Ctrl-C");
  });
});

describe("an installation that cannot be", () => {
  test("an image that cannot be pulled", async () => {
    await using here = await scene("image", { ...alone, image: "127.0.0.1:1/nothing:1" });
    await here.install();
    expect(await failureOf(here.wait())).toMatchObject({
      code: "ROLLOUT_FAILED",
      message: text(
        /^the image of the registry, 127.0.0.1:1\/nothing:1, cannot be pulled on \w+: .*refused/,
      ),
      hint: text(/--image .*--image-pull-secret/),
    });
  });

  test("case 11: a claim that nothing makes a volume for ends at the timeout, with its last event", async () => {
    const storageClass = "kpush-e2e-nobody";
    await using here = await scene("claim", { ...alone, storage: "pvc", storageClass });
    expect(await failureOf(here.check())).toMatchObject({
      code: "INSTALL_REFUSED",
      message: text(/^StorageClass kpush-e2e-nobody is not there \(there are .*\bstandard\b/),
    });
    await apply([
      {
        ...{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass" },
        ...{ metadata: { name: storageClass }, provisioner: "example.com/nobody" },
      },
    ]);
    try {
      await here.check();
      await here.install();
      expect(await failureOf(here.wait(8_000))).toMatchObject({
        code: "TIMEOUT",
        message: text(
          /0 of 1 ready: .*claim kpush-registry-data is Pending: .*example\.com\/nobody/,
        ),
        hint: "kubectl describe pvc -n kpush-e2e-claim kpush-registry-data",
      });
    } finally {
      await kubectl(["delete", "storageclass", storageClass]);
    }
  });

  test("case 9: Pod Security refuses the proxies' hostPort", async () => {
    const enforce = "pod-security.kubernetes.io/enforce";
    await using here = await scene("podsecurity", {}, { [enforce]: "baseline" });
    const command = `kubectl label --overwrite namespace ${here.namespace} ${enforce}=privileged`;
    expect(await failureOf(here.check())).toMatchObject({
      code: "INSTALL_REFUSED",
      message: text(/enforce=baseline, which refuses the node proxies their hostPort 539\d/),
      hint: text(new RegExp(`^${command}`)),
    });
    await here.install();
    expect(await failureOf(here.wait())).toMatchObject({
      code: "ROLLOUT_FAILED",
      message: text(
        /^Pod Security of namespace .* refuses the node proxies: violates PodSecurity "baseline:/,
      ),
      hint: text(new RegExp(`^${command}`)),
    });
    await kubectl(["label", "--overwrite", "namespace", here.namespace, `${enforce}=privileged`]);
    await kubectl(["-n", here.namespace, "rollout", "restart", "daemonset", "kpush-node-proxy"]);
    await here.wait();
  });

  test("a quota has no room", async () => {
    await using here = await scene("quota", alone);
    await apply([
      {
        ...{ apiVersion: "v1", kind: "ResourceQuota" },
        metadata: { name: "small", namespace: here.namespace },
        spec: { hard: { pods: "0" } },
      },
    ]);
    await here.install();
    expect(await failureOf(here.wait())).toMatchObject({
      code: "ROLLOUT_FAILED",
      message: text(
        /^a ResourceQuota of namespace .* has no room for the registry: exceeded quota: small/,
      ),
    });
  });

  test("case 14: the port is taken by another DaemonSet", async () => {
    await using here = await scene("port");
    await apply([portTaker(here.settings)]);
    await kubectl([
      "-n",
      here.namespace,
      "rollout",
      "status",
      "daemonset",
      "taker",
      "--timeout=60s",
    ]);
    expect(await failureOf(here.check())).toMatchObject({
      code: "INSTALL_REFUSED",
      message: `port ${here.settings.nodePort} of the nodes is taken by daemonset ${here.namespace}/taker`,
      hint: text(/--node-port/),
    });
    await here.install();
    expect(await failureOf(here.wait())).toMatchObject({
      code: "ROLLOUT_FAILED",
      message: text(/^node \w+ does not take the node proxies because another pod has their port/),
      hint: text(/--node-port/),
    });
    await kubectl(["-n", here.namespace, "delete", "daemonset", "taker"]);
    await here.wait();
  });

  test("no node has the labels", async () => {
    const nodeSelector = ["kpush-e2e=nowhere"];
    await using here = await scene("selector", { nodeSelector });
    expect(await failureOf(here.check())).toMatchObject({
      code: "INSTALL_REFUSED",
      message: "no node has the labels kpush-e2e=nowhere",
    });
    await here.install();
    expect(await failureOf(here.wait())).toMatchObject({
      code: "ROLLOUT_FAILED",
      message: text(/^no node is to run a node proxy/),
    });
    await using there = await scene("selected", { ...alone, nodeSelector });
    await there.install();
    expect(await failureOf(there.wait())).toMatchObject({
      code: "ROLLOUT_FAILED",
      message: text(/^no node takes the registry: .*affinity\/selector/),
      hint: text(/--node-selector/),
    });
  });

  test("a setting that the registry does not start with", async () => {
    await using here = await scene("crash", alone);
    await here.install();
    const broken = { data: { "config.yml": "version: 0.1\nstorage: nowhere\n" } };
    await kubectl([
      ...["-n", here.namespace, "patch", "configmap", "kpush-registry-config"],
      ...["-p", JSON.stringify(broken)],
    ]);
    await kubectl(["-n", here.namespace, "delete", "pod", "--all", "--wait=false"]);
    expect(await failureOf(here.wait())).toMatchObject({
      code: "ROLLOUT_FAILED",
      message: text(/^the registry keeps crashing on \w+ \(exit code \d+, \d+ restarts?\): ./),
      hint: text(/^kubectl logs -n kpush-e2e-crash kpush-registry-\S+ -c registry --previous$/),
    });
  });
});

const portTaker = ({ namespace, nodePort }: InstallSettings) => ({
  ...{ apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "taker", namespace } },
  spec: {
    selector: { matchLabels: { app: "taker" } },
    template: {
      metadata: { labels: { app: "taker" } },
      spec: {
        terminationGracePeriodSeconds: 0,
        tolerations: [{ operator: "Exists" }],
        containers: [
          {
            ...{ name: "taker", image: "busybox", imagePullPolicy: "IfNotPresent" },
            ...{ command: ["sleep", "1d"], ports: [{ containerPort: 80, hostPort: nodePort }] },
          },
        ],
      },
    },
  },
});
