import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KpushError } from "../../../src/errors.ts";
import { pullAddressOf } from "../../../src/install/names.ts";
import { readConfig, settingsOf } from "../../../src/install/settings.ts";
import type { InstallOptions } from "../../../src/install/types.ts";

test("what is not given has its default", () => {
  expect(settingsOf({})).toEqual({
    namespace: "kpush-system",
    makesNamespace: true,
    image: "registry:3.1.1",
    proxyImage: "haproxy:3.2-alpine",
    imagePullSecret: undefined,
    storage: { kind: "pvc", size: "20Gi", storageClass: undefined },
    runAsUser: 1000,
    nodeAccess: "hostport",
    ipv6: false,
    nodePort: 5000,
    nodePush: false,
    allowFrom: [],
    allowPush: [],
    tolerations: undefined,
    nodeSelector: {},
    priorityClass: undefined,
    config: {},
  });
});

test.for([
  [{ namespace: "team-a" }, { namespace: "team-a", makesNamespace: true }],
  [{ namespace: "default" }, { makesNamespace: false }],
  [{ namespace: "kube-system" }, { makesNamespace: false }],
  [{ image: "mirror.example:8443/a/registry:3" }, { image: "mirror.example:8443/a/registry:3" }],
  [{ storage: "pvc", size: "1.5Ti" }, { storage: { kind: "pvc", size: "1.5Ti" } }],
  [{ storageClass: "fast.io" }, { storage: { storageClass: "fast.io" } }],
  [{ storage: "emptydir" }, { storage: { kind: "emptydir", size: undefined } }],
  [{ storage: "emptydir", size: "5G" }, { storage: { kind: "emptydir", size: "5G" } }],
  [
    { storage: "claim:kube-registry-pvc" },
    { storage: { kind: "claim", name: "kube-registry-pvc" } },
  ],
  [{ runAsUser: 0 }, { runAsUser: 0 }],
  [{ nodeAccess: "none" }, { nodeAccess: "none", nodePort: 5000 }],
  [{ nodeAccess: "none", nodePush: false }, { nodePush: false }],
  [{ nodePort: 80 }, { nodePort: 80 }],
  [{ nodeAccess: "hostnetwork", nodePort: 1024 }, { nodePort: 1024 }],
  [{ allowFrom: ["ci", "ci", "dev"] }, { allowFrom: ["ci", "dev"] }],
  [{ tolerations: [] }, { tolerations: [] }],
  [
    { nodeSelector: ["a.example/disk=ssd", "gpu="] },
    { nodeSelector: { "a.example/disk": "ssd", gpu: "" } },
  ],
  [{ nodeSelector: ["kubernetes.io/os=linux"] }, { nodeSelector: { "kubernetes.io/os": "linux" } }],
  [{ priorityClass: "system-node-critical" }, { priorityClass: "system-node-critical" }],
] as [InstallOptions, object][])("%j is read", ([options, expected]) => {
  expect(settingsOf(options)).toMatchObject(expected);
});

test.for([
  ["dedicated", { key: "dedicated", operator: "Exists" }],
  ["dedicated:NoExecute", { key: "dedicated", operator: "Exists", effect: "NoExecute" }],
  ["a.example/b=c", { key: "a.example/b", operator: "Equal", value: "c" }],
  ["a=b:NoSchedule", { key: "a", operator: "Equal", value: "b", effect: "NoSchedule" }],
  ["a=:PreferNoSchedule", { key: "a", operator: "Equal", value: "", effect: "PreferNoSchedule" }],
] as const)("--toleration %s", ([text, toleration]) => {
  expect(settingsOf({ tolerations: [text] }).tolerations).toEqual([toleration]);
});

test.for([
  ["user:jane@example.com", { kind: "User", name: "jane@example.com" }],
  ["user:system:admin", { kind: "User", name: "system:admin" }],
  ["group:oidc:dev team", { kind: "Group", name: "oidc:dev team" }],
  ["serviceaccount:ci:runner", { kind: "ServiceAccount", name: "runner", namespace: "ci" }],
] as const)("--allow-push %s", ([text, subject]) => {
  expect(settingsOf({ allowPush: [text] }).allowPush).toEqual([subject]);
});

/** The error that an option's value causes. */
function refusal(options: InstallOptions): KpushError {
  try {
    settingsOf(options);
  } catch (error) {
    if (error instanceof KpushError) return error;
  }
  throw new Error("it was taken");
}

test.for([
  [{ namespace: "Team" }, "--namespace", "namespace"],
  [{ namespace: "" }, "--namespace", "namespace"],
  [{ namespace: "a.b" }, "--namespace", "namespace"],
  [{ namespace: "n".repeat(64) }, "--namespace", "63"],
  [{ image: "UPPER" }, "--image", "UPPER"],
  [{ image: "" }, "--image", "empty"],
  [{ proxyImage: "haproxy:" }, "--proxy-image", "tag"],
  [{ imagePullSecret: "a/b" }, "--image-pull-secret", "name"],
  [{ storage: "s3" }, "--storage", "pvc, emptydir or claim:NAME"],
  [{ storage: "claim:" }, "--storage", "name"],
  [{ storage: "claim:A" }, "--storage", "name"],
  [{ size: "20GB" }, "--size", "20Gi"],
  [{ size: "-1Gi" }, "--size", "20Gi"],
  [{ size: "20" }, "--size", "mebibyte"],
  [{ size: "20Gi", storage: "claim:a" }, "--size", "claim"],
  [{ storageClass: "fast", storage: "emptydir" }, "--storage-class", "emptydir"],
  [{ storageClass: "fast", storage: "claim:a" }, "--storage-class", "claim:a"],
  [{ storageClass: "" }, "--storage-class", "name"],
  [{ runAsUser: -1 }, "--run-as-user", "from 0 to 2147483647"],
  [{ runAsUser: 1.5 }, "--run-as-user", "whole number"],
  [{ nodeAccess: "nodeport" }, "--node-access", "hostport, hostnetwork or none"],
  [{ nodePort: 0 }, "--node-port", "from 1 to 65535"],
  [{ nodePort: 65536 }, "--node-port", "from 1 to 65535"],
  [{ nodePort: 80, nodeAccess: "hostnetwork" }, "--node-port", "from 1024 to 65535"],
  [{ nodePort: 5000, nodeAccess: "none" }, "--node-port", "--node-access none"],
  [{ nodePush: true, nodeAccess: "none" }, "--node-push", "--node-access none"],
  [{ proxyImage: "a", nodeAccess: "none" }, "--proxy-image", "--node-access none"],
  [{ allowFrom: ["a.b"] }, "--allow-from", "namespace"],
  [{ allowPush: ["jane"] }, "--allow-push", "user:NAME, group:NAME"],
  [{ allowPush: ["user:"] }, "--allow-push", "user:NAME"],
  [{ allowPush: ["user:a\u202eb"] }, "--allow-push", "user:NAME"],
  [{ allowPush: ["serviceaccount:runner"] }, "--allow-push", "serviceaccount:NAMESPACE:NAME"],
  [{ tolerations: [""] }, "--toleration", "KEY[=VALUE][:EFFECT]"],
  [{ tolerations: ["a:Never"] }, "--toleration", "NoSchedule"],
  [{ tolerations: ["a b"] }, "--toleration", "KEY"],
  [{ tolerations: ["a=b=c"] }, "--toleration", "KEY"],
  [{ tolerations: ["/a"] }, "--toleration", "KEY"],
  [{ nodeSelector: ["disk"] }, "--node-selector", "KEY=VALUE"],
  [{ nodeSelector: ["=ssd"] }, "--node-selector", "KEY=VALUE"],
  [{ nodeSelector: ["a=b c"] }, "--node-selector", "KEY=VALUE"],
  [{ nodeSelector: ["a=b", "a=c"] }, "--node-selector", "a=b"],
  [{ nodeSelector: ["kubernetes.io/os=windows"] }, "--node-selector", "linux"],
  [{ priorityClass: "High" }, "--priority-class", "name"],
] as [InstallOptions, string, string][])("%j is refused", ([options, option, word]) => {
  const { code, message, hint } = refusal(options);
  expect(code).toBe("USAGE");
  expect(message.startsWith(`${option}: `) || message.startsWith(`${option} `)).toBe(true);
  expect(message).toContain(word);
  expect(hint).toBeTruthy();
});

test("what a terminal would not show as it is, is not shown", () => {
  expect(refusal({ namespace: "a\u001b[2Jb" }).message).not.toContain("\u001b");
});

describe("the file with settings of the registry", () => {
  test("is looked for from the working directory", async () => {
    const directory = await mkdtemp(join(tmpdir(), "kpush-settings-"));
    try {
      await writeFile(join(directory, "registry.yml"), "log:\n  level: debug\n");
      const options = { config: "registry.yml" };
      const { config } = settingsOf(options, await readConfig(options, directory));
      expect(config).toEqual({ log: { level: "debug" } });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("that is not there is a usage error", async () => {
    await expect(readConfig({ config: "missing.yml" }, tmpdir())).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringMatching(/^--config: .*missing\.yml/) as string,
    });
  });

  test("is not needed", async () => {
    expect(await readConfig({}, tmpdir())).toBeUndefined();
  });
});

test.for([
  [{}, "localhost:5000"],
  [{ nodePort: 5123 }, "localhost:5123"],
  [{ nodeAccess: "none", namespace: "team" }, "kpush-registry.team.svc:5000"],
] as [InstallOptions, string][])("with %j nodes pull by %s", ([options, address]) => {
  expect(pullAddressOf(settingsOf(options))).toBe(address);
});
