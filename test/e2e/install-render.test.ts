import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import { list, mapping } from "../../src/cluster/values.ts";
import { ownSelector } from "../../src/install/names.ts";
import { render } from "../../src/install/render/render.ts";
import { settingsOf } from "../../src/install/settings.ts";
import type { InstallOptions, InstallSettings } from "../../src/install/types.ts";
import { yamlText } from "../../src/output/manifests.ts";
import { apply, kubectl } from "./support/kubectl.ts";

const namespace = "kpush-e2e-render";
const restricted = "kpush-e2e-restricted";
const nodePort = 5713;
const config = "log: {level: debug}\nhttp: {debug: {addr: 127.0.0.1:5001}}\n";

beforeAll(async () => {
  const level = (name: string) => ({ "pod-security.kubernetes.io/enforce": name });
  await apply([
    namespaceObject(namespace, level("privileged")),
    namespaceObject(restricted, level("restricted")),
  ]);
});

afterAll(() => kubectl(["delete", "namespace", namespace, restricted, "--wait=true"]));

function namespaceObject(name: string, labels = {}): KubeObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

const rendered = (
  options: InstallOptions = {},
  more: Partial<InstallSettings> = {},
  text?: string,
) => render({ ...settingsOf({ namespace, ...options }, text), ...more });

/** Each option that changes the objects, beside others that it could meet in one of them. */
const axes: { options: InstallOptions; ipv6?: boolean; config?: string }[][] = [
  [
    { options: {} },
    { options: { size: "1.5Ti", storageClass: "fast" } },
    { options: { storage: "emptydir" } },
    { options: { storage: "emptydir", size: "500M" } },
    { options: { storage: "claim:kube-registry-pvc" } },
  ],
  [
    { options: {} },
    { options: { nodePort: 80, nodePush: true } },
    { options: { nodeAccess: "hostnetwork", nodePort: 5001 } },
    { options: { nodeAccess: "hostnetwork", nodePush: true }, ipv6: true },
    { options: { nodeAccess: "none" } },
  ],
  [{ options: {} }, { options: { runAsUser: 0 } }],
  [{ options: {} }, { options: {}, config }],
  [
    { options: {} },
    // Texts that are something else where they are not quoted.
    {
      options: {
        nodeSelector: [
          "a=yes",
          "b=010",
          "c=1e3",
          "d=1_0",
          "e=null",
          "f=0x1f",
          "g=",
          "h=2026-01-01",
        ],
        tolerations: ["dedicated=true:NoSchedule", "gpu", "on=off:NoExecute"],
        priorityClass: "system-node-critical",
        imagePullSecret: "1.5",
      },
    },
  ],
  [
    { options: {} },
    {
      options: {
        allowFrom: ["ci", "0"],
        allowPush: ["user:~", "user:a: #b", "group:oidc:dev team", "serviceaccount:ci:0123"],
        image: `mirror.example:5000/a/registry@sha256:${"a".repeat(64)}`,
      },
    },
  ],
];

/** The renderings of all combinations of one of each axis. */
function combinations(): KubeObject[][] {
  const all = axes.reduce<(typeof axes)[number]>(
    (before, axis) =>
      before.flatMap((one) =>
        axis.map((other) => ({ ...one, ...other, options: { ...one.options, ...other.options } })),
      ),
    [{ options: {} }],
  );
  return all.map(({ options, ipv6, config: text }) => rendered(options, { ipv6: !!ipv6 }, text));
}

/** The server looks at each object by itself: what many combinations have alike is asked once. */
const distinct = (objects: KubeObject[]): KubeObject[] => [
  ...new Map(objects.map((object) => [JSON.stringify(object), object])).values(),
];

describe("what -o yaml prints, for every combination of options", () => {
  const objects = distinct(combinations().flat());

  test("is many objects of each kind", () => {
    expect(combinations()).toHaveLength(5 * 5 * 2 * 2 * 2 * 2);
    const count = (kind: string) => objects.filter((object) => object.kind === kind).length;
    expect(count("Deployment")).toBeGreaterThan(100);
    expect(count("DaemonSet")).toBe(4 * 2);
  });

  test.for(["--server-side", "--server-side=false"])(
    "passes kubectl apply %s, strictly",
    async (how) => {
      const args = ["apply", how, "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-"];
      const printed = await kubectl(args, yamlText(objects));
      expect(printed.trim().split("\n")).toHaveLength(objects.length);
    },
  );

  test("is refused so where a field is not known", async () => {
    const [first] = rendered().filter(({ kind }) => kind === "Deployment");
    const wrong = { ...first, spec: { ...mapping(first?.["spec"]), replicaz: 1 } };
    const args = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
    await expect(kubectl(args, yamlText([wrong]))).rejects.toThrow("replicaz");
  });
});

/** A pod as a Deployment or DaemonSet would make it. */
function podOf(objects: KubeObject[], kind: "Deployment" | "DaemonSet", name: string): KubeObject {
  const workload = objects.find((object) => object.kind === kind);
  const { metadata, spec } = mapping(mapping(workload?.["spec"])["template"]);
  const { annotations } = mapping(metadata);
  return { apiVersion: "v1", kind: "Pod", metadata: { name, annotations }, spec } as KubeObject;
}

describe("Pod Security", () => {
  const ask = async (pod: KubeObject) =>
    kubectl(["-n", restricted, "apply", "--dry-run=server", "-f", "-"], yamlText([pod]));

  test.for([{}, { storage: "emptydir" }, { nodeAccess: "none" }, { runAsUser: 70000 }] as const)(
    "restricted takes the registry with %j",
    async (options) => {
      await ask(podOf(rendered(options), "Deployment", "registry"));
    },
  );

  test("restricted refuses it as root, and the proxies", async () => {
    const root = podOf(rendered({ runAsUser: 0 }), "Deployment", "registry");
    await expect(ask(root)).rejects.toThrow("runAsNonRoot");
    await expect(ask(podOf(rendered(), "DaemonSet", "proxy"))).rejects.toThrow("hostPort");
  });
});

/** The objects under other names, so that many variants run side by side. */
function variant(name: string, kind: "Deployment" | "DaemonSet", objects: KubeObject[]) {
  const source = kind === "Deployment" ? "kpush-registry-config" : "kpush-node-proxy";
  const map = objects.find((one) => one.kind === "ConfigMap" && one.metadata.name === source);
  const pod = podOf(objects, kind, name);
  const spec = mapping(pod["spec"]);
  const [, ...volumes] = list(spec["volumes"]);
  spec["volumes"] = [{ name: "config", configMap: { name } }, ...volumes];
  return { map: { ...map, metadata: { name, namespace } } as KubeObject, pod, spec };
}

test("registries of both major versions start with the configuration, and with one merged into it", async () => {
  const variants = [
    variant("own", "Deployment", rendered({ storage: "emptydir" })),
    variant("merged", "Deployment", rendered({ storage: "emptydir" }, {}, config)),
    variant("two", "Deployment", rendered({ storage: "emptydir", image: "registry:2" })),
    variant("root", "Deployment", rendered({ storage: "emptydir", runAsUser: 0 })),
  ];
  await apply(variants.flatMap(({ map, pod }) => [map, inNamespace(pod)]));
  const pods = variants.map(({ pod }) => `pod/${pod.metadata.name}`);
  await kubectl(["-n", namespace, "wait", "--for=condition=Ready", "--timeout=60s", ...pods]);
  await kubectl(["-n", namespace, "delete", "--wait=false", ...pods]);
});

const inNamespace = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, namespace },
});

test("HAProxy takes its configuration in each variant, for a Service of either family, and only with one", async () => {
  const variants = [
    check("v4", rendered(), "10.96.0.1"),
    check("v6", rendered(), "fd00::1"),
    check("push", rendered({ nodePush: true }), "10.96.0.1"),
    check("host", rendered({ nodeAccess: "hostnetwork", nodePort }), "10.96.0.1"),
    check("host-v6", rendered({ nodeAccess: "hostnetwork", nodePort }, { ipv6: true }), "fd00::1"),
    check("without", rendered(), undefined),
  ];
  await apply(variants.flatMap(({ map, pod }) => [map, inNamespace(pod)]));
  const ended = async (phase: string, names: string[]) =>
    kubectl([
      ...["-n", namespace, "wait", `--for=jsonpath={.status.phase}=${phase}`, "--timeout=60s"],
      ...names.map((name) => `pod/${name}`),
    ]);
  await ended("Succeeded", ["v4", "v6", "push", "host", "host-v6"]);
  await ended("Failed", ["without"]);
  expect(await kubectl(["-n", namespace, "logs", "without"])).toContain("is the Service");
});

/** A pod that checks the configuration; on the pod network, as it listens on nothing. */
function check(name: string, objects: KubeObject[], service: string | undefined) {
  const { map, pod, spec } = variant(name, "DaemonSet", objects);
  const [{ startupProbe, readinessProbe, ports, ...container }] = list(spec["containers"]) as [
    Record<string, unknown>,
  ];
  expect([startupProbe, readinessProbe, ports]).not.toContain(undefined);
  const args = ["haproxy", "-c", "-f", "/usr/local/etc/haproxy/haproxy.cfg"];
  const value = service !== undefined && { name: "KPUSH_REGISTRY_SERVICE_HOST", value: service };
  Object.assign(spec, {
    hostNetwork: false,
    enableServiceLinks: false,
    restartPolicy: "Never",
    containers: [{ ...container, args, env: value ? [value] : [] }],
  });
  return { map, pod };
}

describe("applied by kubectl, as printed", () => {
  const objects = rendered({ nodePort, storage: "emptydir" });
  const put = async () =>
    kubectl(["apply", "--server-side", "--validate=strict", "-f", "-"], yamlText(objects));

  test("it becomes ready, and each node reads from it and cannot write", async () => {
    await put();
    for (const workload of ["deployment/kpush-registry", "daemonset/kpush-node-proxy"])
      await kubectl(["-n", namespace, "rollout", "status", workload, "--timeout=60s"]);
    const nodes = await kubectl(["get", "nodes", "-o", "name"]);
    const pods = nodes.trim().split("\n").map(nodePod);
    await apply(pods);
    for (const { metadata } of pods) {
      const pod = `pod/${metadata.name}`;
      await kubectl([
        ...[
          "-n",
          namespace,
          "wait",
          "--for=jsonpath={.status.phase}=Succeeded",
          "--timeout=60s",
          pod,
        ],
      ]);
      expect(await kubectl(["-n", namespace, "logs", pod])).toMatch(/^\{\}[\s\S]* 405 /);
    }
  });

  test("applying it again changes nothing", async () => {
    const before = await versions();
    await put();
    expect(await versions()).toEqual(before);
    expect(before).toHaveLength(objects.length - 1);
  });

  /** Of all objects but the Namespace; of workloads what their pods do not change. */
  async function versions(): Promise<unknown[]> {
    const selector = ["-n", namespace, "-l", ownSelector, "-o", "json"];
    const kinds = "configmap,service,deployment,daemonset,networkpolicy,role";
    const { items } = mapping(JSON.parse(await kubectl(["get", kinds, ...selector])));
    return list(items).map((item) => {
      const { kind, metadata } = item as KubeObject;
      return [kind, metadata.name, metadata.generation ?? metadata.resourceVersion];
    });
  }
});

/** Reads and writes as a process of the node does. */
function nodePod(node: string, index: number): KubeObject {
  const url = `http://localhost:${nodePort}/v2/`;
  const script = `wget -qO- ${url} && ! wget -qO- --post-data= ${url}a/blobs/uploads/ 2>&1`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `on-node-${index}`, namespace },
    spec: {
      nodeName: node.replace("node/", ""),
      hostNetwork: true,
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "wget",
          image: "busybox",
          imagePullPolicy: "IfNotPresent",
          command: ["sh", "-c", script],
        },
      ],
    },
  };
}
