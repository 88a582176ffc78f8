import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import { portTrouble } from "../../../src/install/preflight/port.ts";
import { portPod, settings, type PortLook } from "./preflight-objects.ts";

const takenBy = (pods: KubeObject[], facts = {}) => portTrouble(pods, settings(facts));
const loopback = (hostIP: string) => ({
  ports: [{ containerPort: 80, hostPort: 5000, hostIP }],
});

describe("who holds the port, by the scheduler's rule", () => {
  test.for<[string, PortLook, boolean]>([
    ["a hostPort on all addresses", {}, true],
    ["a hostPort on 0.0.0.0", loopback("0.0.0.0"), true],
    ["a hostPort on 127.0.0.1", loopback("127.0.0.1"), true],
    ["a hostPort on another address", loopback("10.0.0.1"), false],
    ["a hostPort on ::1", loopback("::1"), false],
    ["another hostPort", { ports: [{ containerPort: 5000, hostPort: 5001 }] }, false],
    ["a container port alone", { ports: [{ containerPort: 5000 }] }, false],
    [
      "a container port on the node's network",
      { hostNetwork: true, ports: [{ containerPort: 5000 }] },
      true,
    ],
    ["UDP", { ports: [{ containerPort: 80, hostPort: 5000, protocol: "UDP" }] }, false],
    ["a sidecar", { sidecar: true }, true],
    ["a pod that has ended", { phase: "Succeeded" }, false],
    ["a pod that is being deleted", { deleting: true }, false],
    ["a pod that is starting", { phase: "Pending" }, true],
    ["a pod that waits for a node", { phase: "Pending", node: null }, false],
  ])("%s", ([, look, taken]) => {
    expect(takenBy([portPod("x", look)]) !== undefined).toBe(taken);
  });

  test("on ::1 too, where the proxies listen there", () =>
    expect(takenBy([portPod("x", loopback("::1"))], { ipv6: true })).toBeDefined());
  test("of no concern without node proxies", () =>
    expect(takenBy([portPod("x")], { nodeAccess: "none" })).toBeUndefined());
  test("on another --node-port", () =>
    expect(takenBy([portPod("x")], { nodePort: 5001 })).toBeUndefined());
});

describe("case 14: who has the port is known by name", () => {
  const ours = { "app.kubernetes.io/name": "kpush-node-proxy" };
  const minikube = { "kubernetes.io/minikube-addons": "registry", "registry-proxy": "true" };
  const addon = { namespace: "kube-system", labels: { "k8s-app": "kube-registry-proxy" } };

  test.for<[string, PortLook, string, string]>([
    [
      "the old addon's DaemonSet",
      addon,
      "the old registry addon's proxies, in namespace kube-system",
      "--replace-addon",
    ],
    [
      "the old addon's static pods",
      { namespace: "kube-system", container: "kube-registry-proxy" },
      "the old registry addon's proxies",
      "--replace-addon",
    ],
    [
      "minikube's addon",
      { namespace: "kube-system", labels: minikube },
      "minikube's registry addon",
      "minikube addons disable registry",
    ],
    [
      "Zarf",
      { namespace: "zarf", owner: ["DaemonSet", "zarf-proxy"] },
      "Zarf's registry proxy (daemonset zarf/zarf-proxy)",
      "--node-port",
    ],
    [
      "another kpush",
      { namespace: "team", labels: ours },
      "another kpush registry, in namespace team",
      "kpush install -n team",
    ],
    ["some DaemonSet", { owner: ["DaemonSet", "agent"] }, "daemonset other/agent", "--node-port"],
    ["some pod", {}, "pod other/x", "--node-port"],
  ])("%s", ([, look, who, hint]) => {
    expect(takenBy([portPod("x", look)])).toMatchObject({
      code: "INSTALL_REFUSED",
      message: expect.stringMatching(/^port 5000 of the nodes is taken by /) as string,
    });
    expect(takenBy([portPod("x", look)])?.message).toContain(who);
    expect(takenBy([portPod("x", look)])?.hint).toContain(hint);
  });

  test("our own proxies are no trouble", () =>
    expect(takenBy([portPod("x", { namespace: "kpush-system", labels: ours })])).toBeUndefined());

  test("the old addon's proxies are none where they are to go", () =>
    expect(portTrouble([portPod("x", addon)], settings(), true)).toBeUndefined());

  test("several are named once each, the one that kpush knows first", () => {
    const agent = { owner: ["DaemonSet", "agent"] } as PortLook;
    const pods = [portPod("a1", agent), portPod("a2", agent), portPod("old", addon)];
    expect(takenBy(pods)?.message).toBe(
      "port 5000 of the nodes is taken by the old registry addon's proxies, in namespace kube-system, and by daemonset other/agent",
    );
  });
});
