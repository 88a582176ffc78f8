import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import { certainCause, type Cause } from "../../../src/install/rollout/causes/cause.ts";
import { diagnose } from "../../../src/install/rollout/diagnose.ts";
import type { Snapshot } from "../../../src/install/rollout/snapshot.ts";
import {
  claim,
  daemonSet,
  deployment,
  event,
  isRolledOut,
  onNodes,
  replicaSet,
  rolloutPod,
  snapshot,
  waiting,
  type PodLook,
} from "./rollout-objects.ts";

type Row = [title: string, scene: Snapshot, patience: string, says: RegExp, hint: RegExp];

const lacking = { replicaSets: [replicaSet(true)] };
const refusedPod = 'Error creating: pods "kpush-registry-1-" is forbidden: ';
const refused = (why: string) =>
  snapshot({ ...lacking, events: [event("r", "FailedCreate", refusedPod + why)] });
const registry = (look: PodLook) => snapshot({ pods: [rolloutPod("r", look)] });
const backOff = 'Back-off pulling image "registry:9"';
const crashed = (message: string) => ({
  ...{ ready: false, restartCount: 3, state: { waiting: { reason: "CrashLoopBackOff" } } },
  lastState: { terminated: { exitCode: 1, reason: "Error", message } },
});
const binding = {
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", values: ["node7"] }] }],
      },
    },
  },
};
const proxyPod = (look: PodLook) => rolloutPod("n", look);
const onlyProxies = (look: PodLook, events: KubeObject[] = []) => ({
  ...snapshot({ pods: [proxyPod(look)], events }),
  deployment: deployment(isRolledOut),
});

const podSecurity = {
  ...snapshot({
    events: [
      event(
        "n",
        "FailedCreate",
        'Error creating: pods "kpush-node-proxy-x" is forbidden: violates PodSecurity "baseline:latest": hostPort (container "proxy" uses hostPort 5000)',
      ),
    ],
  }),
  proxies: { object: daemonSet({ ...onNodes(2, 0, 0), currentNumberScheduled: 0 }) },
};

const table: Row[] = [
  [
    "case 9: Pod Security",
    podSecurity,
    "none",
    /^Pod Security of namespace kpush-system \(its label pod-security.kubernetes.io\/enforce\) refuses the node proxies: violates PodSecurity "baseline:latest": hostPort/,
    /kubectl label --overwrite namespace kpush-system pod-security.kubernetes.io\/enforce=privileged/,
  ],
  [
    "a quota that is used up",
    refused("exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0"),
    "short",
    /^a ResourceQuota of namespace kpush-system has no room for the registry: exceeded quota: small/,
    /describe resourcequota -n kpush-system/,
  ],
  [
    "a quota that wants limits",
    refused("failed quota: cpu: must specify limits.cpu for: registry"),
    "none",
    /refuses the registry: failed quota: cpu: must specify limits.cpu/,
    /resourcequota/,
  ],
  [
    "a LimitRange",
    refused("maximum memory usage per Container is 100Mi, but limit is 512Mi"),
    "none",
    /^a LimitRange of namespace/,
    /describe limitrange/,
  ],
  [
    "a priority class",
    refused("no PriorityClass with name nope was found"),
    "none",
    /no PriorityClass with name nope/,
    /--priority-class/,
  ],
  [
    "a webhook",
    snapshot({
      ...lacking,
      events: [
        event(
          "r",
          "FailedCreate",
          'Error creating: admission webhook "policy.example.com" denied the request: no',
        ),
      ],
    }),
    "short",
    /an admission policy of the cluster refuses the registry: admission webhook "policy.example.com"/,
    /ask who runs it/,
  ],
  [
    "a service account that is not made yet",
    refused('error looking up service account x/default: serviceaccount "default" not found'),
    "long",
    /no service account/,
    /get serviceaccounts/,
  ],
  [
    "anything else that is refused",
    refused("it is Tuesday"),
    "short",
    /^the cluster refuses the pods of the registry: it is Tuesday$/,
    /reason=FailedCreate/,
  ],
  [
    "a class that is not there",
    snapshot({
      claim: claim({ storageClassName: "x" }),
      events: [event("c", "ProvisioningFailed", 'storageclass.storage.k8s.io "x" not found')],
    }),
    "none",
    /claim data gets no volume: storageclass/,
    /--storage-class/,
  ],
  [
    "a volume that could not be made",
    snapshot({
      claim: claim({ storageClassName: "x" }),
      events: [event("c", "ProvisioningFailed", "no space in the zone")],
    }),
    "short",
    /gets no volume: no space in the zone/,
    /kubectl describe pvc -n kpush-system data/,
  ],
  [
    "a claim without a class",
    snapshot({ claim: claim({}) }),
    "short",
    /names no StorageClass/,
    /--storage emptydir/,
  ],
  [
    "a claim whose volume is lost",
    snapshot({ claim: claim({}, { phase: "Lost" }) }),
    "none",
    /has lost its volume/,
    /describe pvc/,
  ],
  [
    "an image that is not there",
    registry({
      container: waiting(
        "ErrImagePull",
        'rpc error: code = NotFound desc = failed to resolve reference "docker.io/library/registry:9": not found',
      ),
    }),
    "none",
    /^the image of the registry, registry:9, cannot be pulled on node1: failed to resolve/,
    /^--image names another.*--image-pull-secret/,
  ],
  [
    "a first failure of a pull",
    registry({
      container: waiting("ErrImagePull", "rpc error: code = Unknown desc = i/o timeout"),
    }),
    "short",
    /: i\/o timeout$/,
    /--image/,
  ],
  [
    "a back-off that tells its reason",
    registry({
      container: waiting(
        "ImagePullBackOff",
        `${backOff}: ErrImagePull: rpc error: code = Unknown desc = pull access denied`,
      ),
    }),
    "none",
    /: pull access denied$/,
    /--image-pull-secret/,
  ],
  [
    "a back-off that the event tells the reason of",
    snapshot({
      pods: [rolloutPod("r", { container: waiting("ImagePullBackOff", backOff) })],
      events: [
        event(
          "registry-1",
          "Failed",
          'Failed to pull image "registry:9": rpc error: code = Unknown desc = toomanyrequests',
        ),
      ],
    }),
    "short",
    /: toomanyrequests$/,
    /--image/,
  ],
  [
    "a back-off that nobody tells the reason of",
    registry({ container: waiting("ImagePullBackOff", backOff) }),
    "short",
    /: Back-off pulling image/,
    /--image/,
  ],
  [
    "an image that is no name",
    registry({ container: waiting("InvalidImageName", 'couldn\'t parse image name "A"') }),
    "none",
    /couldn't parse/,
    /--image/,
  ],
  [
    "the proxies' image",
    onlyProxies({ container: waiting("ErrImagePull", "manifest unknown") }),
    "none",
    /^the image of the node proxies, haproxy:9/,
    /^--proxy-image/,
  ],
  [
    "a crash",
    registry({
      container: crashed("starting\nconfiguration error: no storage\nUsage:\n  registry serve"),
    }),
    "short",
    /^the registry keeps crashing on node1 \(exit code 1, 3 restarts\): configuration error: no storage$/,
    /kubectl logs -n kpush-system registry-1 -c main --previous/,
  ],
  [
    "a crash, up again for a moment",
    registry({ container: { ...crashed("panic: x"), state: { running: {} } } }),
    "short",
    /panic: x/,
    /logs/,
  ],
  [
    "a port that is in use on the node",
    onlyProxies({
      container: crashed(
        "[ALERT] cannot bind socket (Address already in use) for [127.0.0.1:5000]",
      ),
    }),
    "short",
    /^a port that the node proxies need on node1 is in use there/,
    /--node-port/,
  ],
  [
    "a Secret that is not there",
    registry({ container: waiting("CreateContainerConfigError", 'secret "x" not found') }),
    "short",
    /registry-1 has a container that cannot start: CreateContainerConfigError: secret "x" not found/,
    /describe pod/,
  ],
  [
    "a volume that cannot be mounted",
    snapshot({
      pods: [rolloutPod("r", { container: waiting("ContainerCreating") })],
      events: [event("registry-1", "FailedMount", "MountVolume.SetUp failed")],
    }),
    "long",
    /registry-1 cannot be started on node1: MountVolume.SetUp failed/,
    /describe pod/,
  ],
  [
    "a port that another pod has",
    onlyProxies({
      ...binding,
      unscheduled:
        "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    }),
    "long",
    /^node node7 does not take the node proxies because another pod has their port there: 0\/2/,
    /--node-port/,
  ],
  [
    "memory that is not there",
    registry({ unscheduled: "0/2 nodes are available: 2 Insufficient memory." }),
    "long",
    /^no node takes the registry: .*Insufficient memory/,
    /describe nodes/,
  ],
  [
    "memory that a proxy's node has not",
    onlyProxies({ ...binding, unscheduled: "0/2 nodes are available: 1 Insufficient memory." }),
    "long",
    /node7 does not take/,
    /describe nodes/,
  ],
  [
    "a taint",
    registry({ unscheduled: "0/1 nodes are available: 1 node(s) had untolerated taint {a: b}." }),
    "long",
    /untolerated taint/,
    /--toleration/,
  ],
  [
    "a node selector",
    registry({
      unscheduled: "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    }),
    "long",
    /node affinity\/selector/,
    /--node-selector/,
  ],
  [
    "a node that does not reach its proxy",
    onlyProxies({ phase: "Running", container: { ready: false, state: { running: {} } } }, [
      event(
        "proxy-1",
        "Unhealthy",
        "Startup probe failed: dial tcp 127.0.0.1:5000: connect: connection refused",
      ),
    ]),
    "short",
    /^node node1 does not reach its own node proxy.*portmap/,
    /--node-access hostnetwork/,
  ],
  [
    "a registry that is not well",
    snapshot({
      pods: [
        rolloutPod("r", { phase: "Running", container: { ready: false, state: { running: {} } } }),
      ],
      events: [
        event(
          "registry-1",
          "Unhealthy",
          "Readiness probe failed: HTTP probe failed with statuscode: 503",
        ),
      ],
    }),
    "long",
    /does not become ready on node1: .*503/,
    /kubectl logs/,
  ],
  [
    "no nodes",
    {
      ...snapshot(),
      deployment: deployment(isRolledOut),
      proxies: { object: daemonSet(onNodes(0, 0, 0)) },
    },
    "none",
    /^no node is to run a node proxy/,
    /--node-selector/,
  ],
  [
    "no progress in time",
    {
      ...snapshot(),
      deployment: deployment({
        conditions: [{ type: "Progressing", reason: "ProgressDeadlineExceeded" }],
      }),
    },
    "long",
    /made no progress/,
    /describe deployment/,
  ],
  [
    "a Deployment that somebody removed",
    { ...snapshot(), deployment: undefined },
    "none",
    /is not there any more/,
    /kpush install/,
  ],
];

test.for(table)("%s is found", ([, scene, patience, says, hint]) => {
  const [cause] = diagnose(scene);
  expect(cause).toMatchObject({ patience });
  expect(cause?.message).toMatch(says);
  expect(cause?.hint).toMatch(hint);
});

test("that the server put similar events together is not part of what they say", () => {
  const combined = `(combined from similar events): ${refusedPod}it is Tuesday`;
  const [cause] = diagnose(
    snapshot({ ...lacking, events: [event("r", "FailedCreate", combined)] }),
  );
  expect(cause?.message).toBe("the cluster refuses the pods of the registry: it is Tuesday");
});

describe("what is normal is no cause:", () => {
  const made = event("r", "FailedCreate", `${refusedPod}exceeded quota`);
  const provisioning = { storageClassName: "late" };
  test.for([
    ["nothing told yet", { ...snapshot(), details: undefined }],
    ["a pod just made", registry({})],
    [
      "an image that is being pulled",
      registry({ sandbox: true, container: waiting("ContainerCreating") }),
    ],
    [
      "a container that runs and was never seen to fail",
      registry({ phase: "Running", container: { ready: false, state: { running: {} } } }),
    ],
    ["a refusal after which a pod was made", snapshot({ events: [made] })],
    ["a refusal before this wait", snapshot({ ...lacking, earlier: [made] })],
    ["a claim that waits for its first pod", snapshot({ claim: claim(provisioning) })],
    [
      "a pod that waits for its claim",
      registry({
        unscheduled: "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
      }),
    ],
    [
      "a mount that failed at first",
      snapshot({
        pods: [rolloutPod("r", { sandbox: true, container: waiting("ContainerCreating") })],
        events: [event("registry-1", "FailedMount", "not yet")],
      }),
    ],
    [
      "the trouble of an old pod of the registry",
      snapshot({ pods: [rolloutPod("older", { container: waiting("InvalidImageName") })] }),
    ],
    [
      "the trouble of an old proxy",
      snapshot({
        pods: [
          proxyPod({
            labels: { "pod-template-generation": "0" },
            container: waiting("InvalidImageName"),
          }),
        ],
      }),
    ],
    [
      "the trouble of a part that is ready",
      {
        ...snapshot({ pods: [rolloutPod("r", { container: waiting("InvalidImageName") })] }),
        deployment: deployment(isRolledOut),
      },
    ],
  ] as [string, Snapshot][])("%s", ([, scene]) => {
    expect(diagnose(scene)).toEqual([]);
  });
});

test("what an event says cannot steer the terminal", () => {
  expect(diagnose(refused("a\u001b[2Jb\u202ec"))[0]?.message).toMatch(/: a\[2Jbc$/);
});

describe("a cause is certain", () => {
  const grace = { short: 10, long: 60 };
  const cause = (key: string, patience: Cause["patience"]): Cause => ({
    ...{ key, patience, message: key, hint: "" },
  });

  test("at once where nothing can end it", () => {
    const all = [cause("a", "short"), cause("b", "none")];
    expect(certainCause(all, new Map(), 0, grace)?.key).toBe("b");
  });

  test("when it has lasted", () => {
    const since = new Map<string, number>();
    const at = (now: number) =>
      certainCause([cause("a", "short"), cause("b", "long")], since, now, grace)?.key;
    expect([at(100), at(109), at(110)]).toEqual([undefined, undefined, "a"]);
  });

  test("not when it went away in between", () => {
    const since = new Map<string, number>();
    const at = (now: number, ...causes: Cause[]) => certainCause(causes, since, now, grace)?.key;
    expect(at(100, cause("a", "short"))).toBeUndefined();
    expect(at(105)).toBeUndefined();
    expect(at(111, cause("a", "short"))).toBeUndefined();
    expect(at(121, cause("a", "short"))).toBe("a");
  });
});
