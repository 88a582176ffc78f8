import { expect, test } from "vitest";
import { podTrouble } from "../../../src/cluster/pod-status.ts";
import { pod, type PodFacts } from "./pods.ts";

const describe = "kubectl describe pod -n kube-system registry-0";
const waiting = (reason: string, message?: string) => ({
  name: "registry",
  image: "registry:9",
  state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
});

const table: [title: string, facts: PodFacts, why: string, hint: string][] = [
  ["deleted", { deleting: true }, "is being deleted", describe],
  [
    "evicted",
    { phase: "Failed", reason: "Evicted", message: "low on disk" },
    "has failed: Evicted: low on disk",
    describe,
  ],
  ["ended", { phase: "Succeeded" }, "has ended", describe],
  [
    "unschedulable",
    { phase: "Pending", scheduling: "0/2 nodes are available: 2 Insufficient memory." },
    "cannot be placed on a node: 0/2 nodes are available: 2 Insufficient memory.",
    describe,
  ],
  [
    "pending claim",
    {
      phase: "Pending",
      scheduling: "pod has unbound immediate PersistentVolumeClaims",
      claim: "registry-data",
    },
    "waits for its volume: the claim registry-data is not bound (pod has unbound immediate PersistentVolumeClaims)",
    "kubectl describe pvc -n kube-system registry-data",
  ],
  [
    "image pull",
    {
      phase: "Pending",
      container: waiting("ImagePullBackOff", 'Back-off pulling image "registry:9"'),
    },
    'has a container that cannot get its image registry:9: Back-off pulling image "registry:9"',
    describe,
  ],
  [
    "crash loop",
    {
      ready: false,
      container: {
        ...waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container"),
        restartCount: 7,
        lastState: {
          terminated: { exitCode: 1, reason: "Error", message: "configuration error: no storage" },
        },
      },
    },
    "has a container that keeps crashing (exit code 1, 7 restarts): configuration error: no storage",
    "kubectl logs -n kube-system registry-0 -c registry --previous",
  ],
  [
    "out of memory",
    {
      ready: false,
      container: {
        name: "registry",
        state: { terminated: { exitCode: 137, reason: "OOMKilled" } },
        restartCount: 1,
      },
    },
    "has a container that ended (exit code 137, OOMKilled, 1 restarts)",
    "kubectl logs -n kube-system registry-0 -c registry",
  ],
  [
    "configuration",
    { phase: "Pending", container: waiting("CreateContainerConfigError", 'secret "x" not found') },
    'has a container that cannot start: CreateContainerConfigError: secret "x" not found',
    describe,
  ],
  [
    "init container",
    {
      phase: "Pending",
      init: { name: "chown", state: { terminated: { exitCode: 2 } } },
      container: waiting("PodInitializing"),
    },
    "has an init container that ended (exit code 2)",
    "kubectl logs -n kube-system registry-0 -c chown",
  ],
  [
    "init container at work",
    {
      phase: "Pending",
      init: { name: "chown", state: { running: {} } },
      container: waiting("PodInitializing"),
    },
    "waits for its init container chown",
    "kubectl logs -n kube-system registry-0 -c chown",
  ],
  [
    "starting",
    { phase: "Pending", container: waiting("ContainerCreating") },
    "is being started: its volumes or images are not there yet",
    describe,
  ],
  [
    "not ready",
    { ready: false, container: { name: "registry", state: { running: {} } } },
    "runs, but is not ready yet: its readiness probe has not succeeded",
    describe,
  ],
];

test.for(table)("%s", ([, facts, why, hint]) => {
  expect(podTrouble(pod(facts))).toEqual({ why, hint });
});

test("a lost node is named", () => {
  const lost = pod({ ready: false });
  lost.status.conditions = [{ type: "Ready", status: "Unknown" }];
  expect(podTrouble(lost).why).toBe("is on node node1, which does not answer");
});

test("what a status says cannot steer the terminal", () => {
  const { why } = podTrouble(pod({ phase: "Failed", message: "a\u001b[2Jb\u202ec" }));
  expect(why).toBe("has failed: a[2Jbc");
});
