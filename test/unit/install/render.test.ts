import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import { mapping } from "../../../src/cluster/values.ts";
import { labels, ownLabels } from "../../../src/install/names.ts";
import { render } from "../../../src/install/render/render.ts";
import { settingsOf } from "../../../src/install/settings.ts";
import type { InstallOptions, InstallSettings } from "../../../src/install/types.ts";

const rendered = (options: InstallOptions = {}, more: Partial<InstallSettings> = {}) =>
  render({ ...settingsOf(options), ...more });

const find = (objects: KubeObject[], kind: string, name?: string) =>
  objects.find((one) => one.kind === kind && (name === undefined || one.metadata.name === name));

const childOf = (value: unknown, key: string) =>
  Array.isArray(value) ? (value[Number(key)] as unknown) : mapping(value)[key];

/** The value at a path such as `spec.template.spec.containers.0.image`. */
const at = (object: KubeObject | undefined, path: string): unknown =>
  path.split(".").reduce<unknown>((value, key) => childOf(value, key), object);

const pod = (objects: KubeObject[], kind: "Deployment" | "DaemonSet", path: string) =>
  at(find(objects, kind), `spec.template.${path}`);

const haproxy = (objects: KubeObject[]) =>
  String(mapping(find(objects, "ConfigMap", "kpush-node-proxy")?.["data"])["haproxy.cfg"]);

const list = (objects: KubeObject[]) =>
  objects.map(({ kind, metadata: { namespace, name } }) =>
    [kind, namespace ?? "-", name].join(" "),
  );

describe("case 1: without options", () => {
  test("the objects are these, in the order in which they are applied", () => {
    expect(list(rendered())).toEqual([
      "Namespace - kpush-system",
      "ConfigMap kpush-system kpush-registry-config",
      "ConfigMap kpush-system kpush-node-proxy",
      "PersistentVolumeClaim kpush-system kpush-registry-data",
      "Service kpush-system kpush-registry",
      "Deployment kpush-system kpush-registry",
      "DaemonSet kpush-system kpush-node-proxy",
      "NetworkPolicy kpush-system kpush-registry",
      "Role kpush-system kpush-push",
    ]);
  });

  test("they are the manifests as they are written down, and the hashes of the configurations", () => {
    const files = [
      "namespace",
      "registry-config",
      "node-proxy-config",
      "registry-data",
      "registry-service",
      "registry",
      "node-proxy",
      "registry-policy",
      "push-role",
    ];
    const folder = new URL("../../../src/install/manifests/", import.meta.url);
    const written = files.map((file) =>
      load(readFileSync(new URL(`${file}.yaml`, folder), "utf8")),
    );
    const hash = /"kpush.dev\/config-hash":"[0-9a-f]{64}"/g;
    const text = JSON.stringify(rendered());
    expect(text.match(hash)).toHaveLength(2);
    expect(JSON.parse(text.replace(hash, '"kpush.dev/config-hash":""'))).toEqual(written);
  });

  test("each has the labels that kpush finds its own by, and no pod but the registry's its name", () => {
    for (const object of rendered({ nodePush: true, allowPush: ["user:jane"] })) {
      expect(object.metadata.labels).toMatchObject(ownLabels);
    }
    expect(pod(rendered(), "Deployment", "metadata.labels")).toMatchObject({
      [labels.name]: "kpush-registry",
      ...ownLabels,
    });
    expect(pod(rendered(), "DaemonSet", "metadata.labels")).toMatchObject({
      [labels.name]: "kpush-node-proxy",
      ...ownLabels,
    });
  });
});

test("the same settings make the same objects, which are not shared", () => {
  const [first, second] = [rendered(), rendered()];
  expect(first).toEqual(second);
  for (const object of first) object.metadata.name = "changed";
  expect(rendered()).toEqual(second);
});

test("no Secret is among them, and the registry does without one", () => {
  expect(list(rendered()).filter((line) => line.startsWith("Secret"))).toEqual([]);
  expect(at(find(rendered(), "Deployment"), "spec.template.spec.containers.0.env.0")).toEqual({
    name: "REGISTRY_HTTP_SECRET",
    valueFrom: { secretKeyRef: { name: "kpush-registry-http", key: "secret", optional: true } },
  });
});

describe("namespaces", () => {
  test("all objects are in the one that is given", () => {
    const objects = rendered({ namespace: "team-a" });
    expect(list(objects)[0]).toBe("Namespace - team-a");
    expect(new Set(objects.slice(1).map(({ metadata }) => metadata.namespace))).toEqual(
      new Set(["team-a"]),
    );
  });

  test.for(["kube-system", "default"])("%s is never made", (namespace) => {
    expect(list(rendered({ namespace }))[0]).toBe(`ConfigMap ${namespace} kpush-registry-config`);
  });

  test.for([
    [{}, "privileged"],
    [{ nodeAccess: "hostnetwork" }, "privileged"],
    [{ nodeAccess: "none" }, "restricted"],
    [{ nodeAccess: "none", runAsUser: 0 }, "baseline"],
  ] as const)("with %j its Pod Security level is %s", ([options, level]) => {
    const own = find(rendered(options), "Namespace");
    expect(own?.metadata.labels).toMatchObject({ [labels.podSecurity]: level });
  });
});

describe("storage", () => {
  const data = "spec.volumes.1";

  test("a claim of the size and class that are given", () => {
    const objects = rendered({ size: "50Gi", storageClass: "fast" });
    expect(find(objects, "PersistentVolumeClaim")?.["spec"]).toEqual({
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "50Gi" } },
      storageClassName: "fast",
    });
    expect(pod(objects, "Deployment", data)).toEqual({
      name: "data",
      persistentVolumeClaim: { claimName: "kpush-registry-data" },
    });
  });

  test.for([
    [{ storage: "emptydir" }, { emptyDir: {} }],
    [{ storage: "emptydir", size: "5Gi" }, { emptyDir: { sizeLimit: "5Gi" } }],
    [{ storage: "claim:mine" }, { persistentVolumeClaim: { claimName: "mine" } }],
  ] as const)("%j makes no claim", ([options, volume]) => {
    const objects = rendered(options);
    expect(find(objects, "PersistentVolumeClaim")).toBeUndefined();
    expect(pod(objects, "Deployment", data)).toEqual({ name: "data", ...volume });
  });

  test("the user of the registry owns what it writes", () => {
    const objects = rendered({ runAsUser: 1234 });
    expect(pod(objects, "Deployment", "spec.securityContext")).toMatchObject({
      ...{ runAsNonRoot: true, runAsUser: 1234, runAsGroup: 1234, fsGroup: 1234 },
    });
  });

  test("root may write beside what other users have written", () => {
    const objects = rendered({ runAsUser: 0 });
    expect(pod(objects, "Deployment", "spec.securityContext")).toMatchObject({
      ...{ runAsNonRoot: false, runAsUser: 0 },
    });
    expect(pod(objects, "Deployment", "spec.containers.0.securityContext.capabilities")).toEqual({
      ...{ drop: ["ALL"], add: ["DAC_OVERRIDE"] },
    });
  });
});

describe("node access", () => {
  test("hostport takes the port of the node's loopback only, and is ready when the node gets there", () => {
    const objects = rendered({ nodePort: 5123 });
    expect(pod(objects, "DaemonSet", "spec.containers.0.ports")).toEqual([
      { name: "http", containerPort: 5000, hostPort: 5123, hostIP: "127.0.0.1", protocol: "TCP" },
    ]);
    for (const probe of ["startupProbe", "readinessProbe"]) {
      expect(pod(objects, "DaemonSet", `spec.containers.0.${probe}.httpGet`)).toEqual({
        ...{ host: "127.0.0.1", port: 5123, path: "/kpush-node-proxy" },
      });
    }
    expect(haproxy(objects)).toContain("\n  bind :5000\n");
    expect(pod(objects, "DaemonSet", "spec.hostNetwork")).toBeUndefined();
  });

  test("hostnetwork listens on loopback itself", () => {
    const objects = rendered({ nodeAccess: "hostnetwork", nodePort: 5123 });
    expect(pod(objects, "DaemonSet", "spec")).toMatchObject({
      hostNetwork: true,
      dnsPolicy: "ClusterFirstWithHostNet",
      containers: [{ ports: [{ containerPort: 5123, hostPort: 5123, hostIP: "127.0.0.1" }] }],
    });
    expect(haproxy(objects)).toMatch(/\n {2}bind 127\.0\.0\.1:5123\n {2}monitor-uri/);
  });

  test("case 16: where nodes have IPv6 only, it listens on both families' loopback", () => {
    const text = haproxy(rendered({ nodeAccess: "hostnetwork" }, { ipv6: true }));
    expect(text).toContain("\n  bind 127.0.0.1:5000\n  bind [::1]:5000\n");
  });

  test("none leaves the proxies out, and nodes pull by the Service's name", () => {
    const objects = rendered({ nodeAccess: "none", namespace: "team" });
    expect(list(objects)).toEqual([
      "Namespace - team",
      "ConfigMap team kpush-registry-config",
      "PersistentVolumeClaim team kpush-registry-data",
      "Service team kpush-registry",
      "Deployment team kpush-registry",
      "NetworkPolicy team kpush-registry",
      "Role team kpush-push",
    ]);
    expect(pod(objects, "Deployment", "metadata.annotations")).toMatchObject({
      "kpush.dev/pull-address": "kpush-registry.team.svc:5000",
    });
  });

  test("the registry says what nodes pull by", () => {
    const objects = rendered({ nodePort: 5123 });
    expect(pod(objects, "Deployment", "metadata.annotations")).toMatchObject({
      "kpush.dev/pull-address": "localhost:5123",
    });
  });

  test("nodes may only pull, unless they are let push", () => {
    expect(haproxy(rendered())).toMatch(
      /http-request return status 405 .* unless \{ method GET HEAD \}/,
    );
    expect(haproxy(rendered({ nodePush: true }))).not.toMatch(/405|method|Only who/);
  });
});

describe("network policies", () => {
  const proxies = {
    podSelector: {
      matchLabels: {
        "app.kubernetes.io/name": "kpush-node-proxy",
        "app.kubernetes.io/instance": "kpush",
      },
    },
  };
  const from = (namespace: string) => ({
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
  });
  const ports = [{ port: "http", protocol: "TCP" }];

  test.for([
    [{}, [{ from: [proxies], ports }]],
    [{ allowFrom: ["ci", "dev"] }, [{ from: [proxies, from("ci"), from("dev")], ports }]],
    [{ nodeAccess: "none" }, []],
    [{ nodeAccess: "none", allowFrom: ["ci"] }, [{ from: [from("ci")], ports }]],
  ] as const)("with %j let in", ([options, ingress]) => {
    const policy = find(rendered(options), "NetworkPolicy", "kpush-registry");
    expect(at(policy, "spec.ingress")).toEqual(ingress);
    expect(at(policy, "spec.policyTypes")).toEqual(["Ingress"]);
  });

  test("are left out where the proxies are on the nodes' network", () => {
    expect(find(rendered({ nodeAccess: "hostnetwork" }), "NetworkPolicy")).toBeUndefined();
  });

  test("keep pods from writing through a proxy that lets its node write", () => {
    expect(find(rendered(), "NetworkPolicy", "kpush-node-proxy")).toBeUndefined();
    const policy = find(rendered({ nodePush: true }), "NetworkPolicy", "kpush-node-proxy");
    expect(at(policy, "spec.ingress")).toEqual([]);
  });
});

test("who may push is bound to the Role", () => {
  const apiGroup = "rbac.authorization.k8s.io";
  const binding = find(
    rendered({ allowPush: ["user:jane", "group:dev", "serviceaccount:ci:runner"] }),
    "RoleBinding",
  );
  expect(binding).toMatchObject({
    metadata: { name: "kpush-push", namespace: "kpush-system" },
    roleRef: { apiGroup, kind: "Role", name: "kpush-push" },
    subjects: [
      { apiGroup, kind: "User", name: "jane" },
      { apiGroup, kind: "Group", name: "dev" },
      { kind: "ServiceAccount", name: "runner", namespace: "ci" },
    ],
  });
});

test("the Role gives what a push needs, and no more", () => {
  expect(find(rendered(), "Role")?.["rules"]).toEqual([
    { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
    { apiGroups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] },
  ]);
});

describe("scheduling", () => {
  test.for(["Deployment", "DaemonSet"] as const)("goes for the pods of the %s", (kind) => {
    const objects = rendered({
      imagePullSecret: "mirror",
      priorityClass: "important",
      nodeSelector: ["disk=ssd"],
      tolerations: ["dedicated=images:NoSchedule"],
    });
    expect(pod(objects, kind, "spec")).toMatchObject({
      imagePullSecrets: [{ name: "mirror" }],
      priorityClassName: "important",
      nodeSelector: { "kubernetes.io/os": "linux", disk: "ssd" },
      tolerations: [{ key: "dedicated", operator: "Equal", value: "images", effect: "NoSchedule" }],
    });
  });

  test("unless told, the proxies tolerate everything, and the registry nothing", () => {
    expect(pod(rendered(), "DaemonSet", "spec.tolerations")).toEqual([{ operator: "Exists" }]);
    expect(pod(rendered(), "Deployment", "spec.tolerations")).toBeUndefined();
    expect(pod(rendered(), "DaemonSet", "spec.priorityClassName")).toBeUndefined();
  });
});

describe("images", () => {
  const digest = `sha256:${"a".repeat(64)}`;

  test.for([
    ["mirror.example/registry:2", "2"],
    [`registry:3.1.1@${digest}`, "3.1.1"],
    [`registry@${digest}`, undefined],
    ["registry:v1-", undefined],
    [`registry:${"v".repeat(64)}`, undefined],
  ] as const)("%s is taken, and its version is %s", ([image, version]) => {
    const objects = rendered({ image, proxyImage: image });
    for (const kind of ["Deployment", "DaemonSet"] as const) {
      expect(pod(objects, kind, "spec.containers.0.image")).toBe(image);
      const found = pod(objects, kind, "metadata.labels") as Record<string, string>;
      expect(found[labels.version]).toBe(version);
      expect(find(objects, kind)?.metadata.labels?.[labels.version]).toBe(version);
    }
  });
});

describe("another configuration restarts", () => {
  const hashOf = (objects: KubeObject[], kind: "Deployment" | "DaemonSet") =>
    mapping(pod(objects, kind, "metadata.annotations"))["kpush.dev/config-hash"];

  test("the registry, and not the proxies", () => {
    const [before, after] = [rendered(), rendered({}, { config: { log: { level: "debug" } } })];
    expect(hashOf(after, "Deployment")).not.toBe(hashOf(before, "Deployment"));
    expect(hashOf(after, "DaemonSet")).toBe(hashOf(before, "DaemonSet"));
  });

  test("the proxies, and not the registry", () => {
    const [before, after] = [rendered(), rendered({ nodePush: true })];
    expect(hashOf(after, "DaemonSet")).not.toBe(hashOf(before, "DaemonSet"));
    expect(hashOf(after, "Deployment")).toBe(hashOf(before, "Deployment"));
  });
});
