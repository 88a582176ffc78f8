import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import { waitForRollout, type RolloutWait } from "../../src/install/rollout/wait.ts";
import { kubeHome, type KubeHome } from "../fakes/kube-home.ts";
import { kubeStore, type KubeStore } from "../fakes/kube-store.ts";
import {
  claim,
  daemonSet,
  deployment,
  event,
  isRolledOut,
  onNodes,
  replicaSet,
  rolloutPod,
  waiting,
  type PodLook,
} from "../unit/install/rollout-objects.ts";

interface Scene extends AsyncDisposable {
  api: ApiServer;
  store: KubeStore;
  home: KubeHome;
  interrupt: AbortController;
  wait(run?: Partial<RolloutWait>, proxies?: boolean): Promise<void>;
}

type Put = (object: KubeObject) => void;
/** What controllers do before the second, third, … look; the last stays. */
type Story = ((put: Put) => void)[];

/** Puts objects, and has those that name an object by its uid name it by the uid it got. */
function putInto(store: KubeStore): Put {
  const uids = new Map<string, string>();
  return (object) => {
    const translate = (key: string, value: unknown) =>
      key === "uid" && typeof value === "string" ? (uids.get(value) ?? value) : value;
    const { uid } = object.metadata;
    const put = store.put(JSON.parse(JSON.stringify(object), translate) as KubeObject);
    if (uid !== undefined && put.metadata.uid !== undefined) uids.set(uid, put.metadata.uid);
  };
}

/** A cluster in which these objects are there at first, and the story goes on from look to look. */
async function scene(objects: KubeObject[], story: Story = []): Promise<Scene> {
  const api = await startApiServer({ dial: () => Promise.reject(new Error("nothing to dial")) });
  const store = kubeStore(api);
  const put = putInto(store);
  for (const object of objects) put(object);
  const serve = api.onRequest;
  let looks = 0;
  api.onRequest = (request, response) => {
    if (request.url?.endsWith("/deployments/kpush-registry")) {
      if (looks > 0) story[looks - 1]?.(put);
      looks += 1;
    }
    return serve?.(request, response) ?? false;
  };
  const home = await kubeHome();
  await home.writeKubeconfig(api, { user: { token: api.token } });
  const cluster = await home.open();
  const interrupt = new AbortController();
  return {
    ...{ api, store, home, interrupt },
    wait: (run = {}, proxies = true) =>
      waitForRollout(
        cluster,
        { namespace: "kpush-system", proxies },
        {
          report: (event) => home.events.push(event),
          ...{ signal: interrupt.signal, timeout: 60_000, interval: 1 },
          ...run,
        },
      ),
    async [Symbol.asyncDispose]() {
      cluster[Symbol.dispose]();
      await api[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

const told = ({ home }: Scene) =>
  home.events.flatMap((event) =>
    event.type === "progress" || event.type === "step"
      ? `${event.type} ${event.label}: ${event.text}`
      : [],
  );
/** As the API server has it: in the namespace, and with the label that pods of kpush are listed by. */
const there = (name: string, object: object): KubeObject => {
  const one = { apiVersion: "v1", kind: "Pod", ...object } as KubeObject;
  const metadata = { ...one.metadata, namespace: "kpush-system" };
  return { ...one, metadata: { ...metadata, labels: { "app.kubernetes.io/name": name } } };
};
const registryPod = (look: PodLook) => there("kpush-registry", rolloutPod("r", look));
const eventIn = (...facts: Parameters<typeof event>) => there("", event(...facts));
const starting = [
  deployment({ replicas: 1, updatedReplicas: 1 }),
  there("kpush-registry", replicaSet()),
  daemonSet(onNodes(2, 2, 2)),
];
const refusedPull = waiting("ErrImagePull", "rpc error: code = Unknown desc = connection reset");
const done = (put: Put) => put(deployment(isRolledOut));

test("what is ready is seen in one look, by two requests", async () => {
  await using here = await scene([deployment(isRolledOut), daemonSet(onNodes(2, 2, 2))]);
  await here.wait();
  expect(told(here)).toEqual(["step registry: ready", "step proxies: ready on 2 nodes"]);
  expect(here.store.requests.map(({ path }) => path.split("/").at(-1)).toSorted()).toEqual([
    "kpush-node-proxy",
    "kpush-registry",
  ]);
});

test("without proxies, none are asked for", async () => {
  await using here = await scene([deployment(isRolledOut)]);
  await here.wait({}, false);
  expect(told(here)).toEqual(["step registry: ready"]);
  expect(here.store.requests).toHaveLength(1);
});

test("what is on the way is told as it goes on, each news once", async () => {
  const pulling = { sandbox: true, container: waiting("ContainerCreating") };
  await using here = await scene(
    [deployment({}), there("kpush-registry", replicaSet(true)), daemonSet(onNodes(2, 0, 0))],
    [
      () => undefined,
      (put) => {
        put(deployment({ replicas: 1, updatedReplicas: 1 }));
        put(there("kpush-registry", replicaSet()));
        put(registryPod(pulling));
        put(there("kpush-node-proxy", rolloutPod("n", pulling)));
      },
      (put) => put(daemonSet(onNodes(2, 2, 1))),
      (put) => put(daemonSet(onNodes(2, 2, 2))),
      done,
    ],
  );
  await here.wait();
  expect(told(here)).toEqual([
    "progress registry: 0 of 1 ready",
    "progress proxies: 0 of 2 nodes ready",
    "progress registry: 0 of 1 ready: pulling image registry:9",
    "progress proxies: 0 of 2 nodes ready (node1: pulling image haproxy:9)",
    "progress proxies: 1 of 2 nodes ready (node1: pulling image haproxy:9)",
    "step proxies: ready on 2 nodes",
    "step registry: ready",
  ]);
});

describe("it fails early", () => {
  test("at once where nothing can end the trouble", async () => {
    const container = waiting("InvalidImageName", "no such name");
    await using here = await scene([...starting, registryPod({ container })]);
    await expect(here.wait()).rejects.toMatchObject({
      code: "ROLLOUT_FAILED",
      message: expect.stringMatching(/^the image of the registry, .*no such name$/) as string,
      hint: expect.stringContaining("--image") as string,
    });
  });

  test("when a trouble that may pass has lasted", async () => {
    await using here = await scene([...starting, registryPod({ container: refusedPull })]);
    await expect(here.wait({ grace: { short: 20, long: 60_000 } })).rejects.toMatchObject({
      code: "ROLLOUT_FAILED",
      message: expect.stringMatching(/connection reset$/) as string,
    });
  });

  test("case 9: as soon as a refusal is news", async () => {
    const why = 'violates PodSecurity "baseline:latest": hostPort';
    const lacking = daemonSet({ ...onNodes(2, 0, 0), currentNumberScheduled: 0 });
    await using here = await scene(
      [deployment(isRolledOut), lacking],
      [() => undefined, (put) => put(eventIn("n", "FailedCreate", `Error creating: ${why}`))],
    );
    await expect(here.wait()).rejects.toMatchObject({
      code: "ROLLOUT_FAILED",
      message: expect.stringMatching(/^Pod Security of namespace kpush-system/) as string,
    });
  });

  test("case 10: where no node is to run a proxy", async () => {
    await using here = await scene([deployment(isRolledOut), daemonSet(onNodes(0, 0, 0))]);
    await expect(here.wait()).rejects.toMatchObject({
      code: "ROLLOUT_FAILED",
      message: expect.stringMatching(/^no node is to run a node proxy/) as string,
    });
  });
});

describe("it does not fail early", () => {
  test("for a first pull that failed", async () => {
    await using here = await scene(
      [...starting, registryPod({ container: refusedPull })],
      [() => undefined, () => undefined, (put) => put(registryPod({ sandbox: true })), done],
    );
    await here.wait();
    expect(told(here).at(-1)).toBe("step registry: ready");
  });

  test("for a refusal of an earlier try, which the timeout tells nevertheless", async () => {
    const quota = "Error creating: exceeded quota: small";
    const lacking = [deployment({}), there("kpush-registry", replicaSet(true))];
    await using here = await scene([
      ...lacking,
      daemonSet(onNodes(2, 2, 2)),
      eventIn("r", "FailedCreate", quota),
    ]);
    await expect(here.wait({ timeout: 20, grace: { short: 0, long: 0 } })).rejects.toMatchObject({
      code: "TIMEOUT",
      message: expect.stringMatching(
        /0 of 1 ready.*ResourceQuota.*exceeded quota: small/,
      ) as string,
      hint: expect.stringContaining("kubectl describe resourcequota") as string,
    });
  });

  test("for an API server that fails once or twice", async () => {
    await using here = await scene(starting, [done]);
    const serve = here.api.onRequest;
    let failures = 2;
    here.api.onRequest = (request, response) => {
      if (failures === 0) return serve?.(request, response) ?? false;
      failures -= 1;
      response.writeHead(503).end("starting");
      return true;
    };
    await here.wait();
    expect(failures).toBe(0);
  });

  test("for what may not be listed", async () => {
    await using here = await scene(starting, [() => undefined, done]);
    here.api.allow = (verb) => verb !== "list";
    await here.wait();
    expect(told(here)).toContain("progress registry: 0 of 1 ready");
  });
});

test("an API server that goes on failing ends the wait", async () => {
  await using here = await scene(starting);
  here.api.onRequest = (_, response) => {
    response.writeHead(503).end("down");
    return true;
  };
  await expect(here.wait()).rejects.toMatchObject({ code: "CLUSTER_FAILED" });
});

test("case 11: the timeout tells what is still waited for, with the claim's last event", async () => {
  const said = "Waiting for a volume to be created by example.com/nobody";
  const aboutClaim = eventIn("c", "ExternalProvisioning", said);
  await using here = await scene([
    ...starting.slice(0, 2),
    daemonSet(onNodes(3, 3, 1)),
    claim({ storageClassName: "slow" }),
    {
      ...aboutClaim,
      ...{ type: "Normal" },
      involvedObject: { kind: "PersistentVolumeClaim", uid: "c" },
    },
    registryPod({
      unscheduled: "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
    }),
  ]);
  await expect(here.wait({ timeout: 20 })).rejects.toMatchObject({
    code: "TIMEOUT",
    message: expect.stringMatching(
      /^not ready after .*: the registry: 0 of 1 ready: the pod .*; claim data is Pending: Waiting for a volume.*; the node proxies: 1 of 3 nodes ready$/,
    ) as string,
  });
});

test("Ctrl-C during a look ends the wait at once, with its reason", async () => {
  await using here = await scene(starting, [() => here.interrupt.abort(new Error("Ctrl-C"))]);
  await expect(here.wait({ interval: 60_000 })).rejects.toThrow("Ctrl-C");
});

test("Ctrl-C between two looks ends the wait at once", async () => {
  await using here = await scene(starting);
  const waited = here.wait({
    interval: 60_000,
    report: ({ type }) => {
      if (type === "progress") setImmediate(() => here.interrupt.abort(new Error("Ctrl-C")));
    },
  });
  await expect(waited).rejects.toThrow("Ctrl-C");
});
