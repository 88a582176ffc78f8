import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import { digestOf } from "../../src/image/digest.ts";
import { mediaTypes } from "../../src/image/manifest.ts";
import { prove, type Proof } from "../../src/install/prove/prove.ts";
import { isUnwritable } from "../../src/install/prove/unwritable.ts";
import { render } from "../../src/install/render/render.ts";
import { settingsOf } from "../../src/install/settings.ts";
import { status } from "../../src/install/status/status.ts";
import { openSession, type Session } from "../../src/push/session.ts";
import type { Context } from "../../src/push/types.ts";
import { kubeconfig } from "./support/environment.ts";
import { apply, kubectl } from "./support/kubectl.ts";

const namespace = "kpush-e2e-prove";
/** Not 5000: another registry's proxies may have that. */
const nodePort = 5056;
const address = `localhost:${nodePort}`;
const MiB = 1024 * 1024;

let home = "";

function context(): Context {
  return {
    surroundings: {
      env: { KUBECONFIG: kubeconfig },
      home,
      cwd: home,
      platform: "linux",
      pluginStdin: "ignore",
      pluginStderr: () => undefined,
    },
    report: () => undefined,
    signal: new AbortController().signal,
  };
}

async function inSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
  await using session = await openSession({ namespace }, context());
  return await work(session);
}

/** One request to the registry, through a tunnel of its own. */
const send = (method: string, path: string, body = Buffer.alloc(0)) =>
  inSession(async ({ tunnel }) => {
    const socket = await tunnel.connect();
    const headers = { host: "registry", "content-length": body.length };
    const request = httpRequest({
      ...{ method, path, headers },
      createConnection: () => socket,
    });
    request.end(body);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    await once(response.resume(), "end");
    socket.destroy();
    return { status: response.statusCode ?? 0, location: response.headers.location ?? "" };
  });

const proof = (pullAddress = address, timeout = 60_000): Promise<Proof> =>
  inSession((session) => {
    const { report, signal } = context();
    const options = { namespace, pullAddress, nodes: "all" as const };
    return prove(session.cluster, session, options, { report, signal, timeout });
  });

const pods = async (selector: string): Promise<string> =>
  await kubectl(["-n", namespace, "get", "pods", "-l", selector, "-o", "name"]);
const rollout = async (what: string): Promise<string> =>
  await kubectl(["-n", namespace, "rollout", "status", what, "--timeout=120s"]);
const scale = async (replicas: number): Promise<string> =>
  await kubectl(["-n", namespace, "scale", "deployment/kpush-registry", `--replicas=${replicas}`]);

function objects(): KubeObject[] {
  const secret = {
    ...{ apiVersion: "v1", kind: "Secret" },
    metadata: { name: "kpush-registry-http", namespace },
    stringData: { secret: randomBytes(32).toString("hex") },
  };
  const rendered = render(
    settingsOf({ namespace, nodePort, size: "1Gi", allowPush: ["user:jane"] }),
  );
  const [first, ...rest] = rendered;
  return first ? [first, secret, ...rest] : [];
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kpush-e2e-prove-"));
  await apply(objects());
  await rollout("deployment/kpush-registry");
  await rollout("daemonset/kpush-node-proxy");
});
afterAll(async () => {
  await kubectl(["delete", "namespace", namespace, "--wait=true"]);
  await rm(home, { recursive: true, force: true });
});

describe("the proof", () => {
  test("is pulled by every node, and leaves nothing behind", async () => {
    const nodes = await kubectl(["get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"]);
    const proved = await proof();
    expect(proved.nodes.toSorted()).toEqual(nodes.split(" ").toSorted());
    expect(await pods("app.kubernetes.io/component=proof")).toBe("");
    const kept = await inSession(({ registry }) =>
      registry.headManifest("kpush/proof", proved.digest),
    );
    expect(kept).toBeUndefined();
  });

  test("runs where Pod Security is restricted", async () => {
    const enforce = "pod-security.kubernetes.io/enforce";
    await kubectl(["label", "namespace", namespace, "--overwrite", `${enforce}=restricted`]);
    try {
      expect((await proof()).nodes).not.toEqual([]);
    } finally {
      await kubectl(["label", "namespace", namespace, "--overwrite", `${enforce}=privileged`]);
    }
  });

  test("names the nodes where nothing listens on the port", async () => {
    await expect(proof("localhost:5999")).rejects.toMatchObject({
      code: "NODE_PULL_FAILED",
      message: expect.stringContaining("connection refused") as string,
      hint: expect.stringContaining("--node-access hostnetwork") as string,
    });
    expect(await pods("app.kubernetes.io/component=proof")).toBe("");
  });
});

describe("the registry as it is installed", () => {
  test("case 20: goes on with an upload after a restart, as its secret stays", async () => {
    const halves = [randomBytes(5 * MiB), randomBytes(3 * MiB)] as const;
    const digest = digestOf(Buffer.concat(halves));
    const begun = await send("POST", "/v2/restart/blobs/uploads/");
    const half = await send("PATCH", begun.location, halves[0]);
    expect(half.status).toBe(202);
    const own = "app.kubernetes.io/name=kpush-registry";
    await kubectl(["-n", namespace, "delete", "pod", "-l", own, "--grace-period=1"]);
    await rollout("deployment/kpush-registry");
    const query = `${half.location.includes("?") ? "&" : "?"}digest=${digest}`;
    expect(await send("PUT", half.location + query, halves[1])).toMatchObject({ status: 201 });
    expect(await inSession(({ registry }) => registry.hasBlob("restart", digest))).toBe(true);
  });

  test("case 20: takes an index of which not every platform was pushed", async () => {
    const manifests = [
      {
        mediaType: mediaTypes.ociManifest,
        digest: `sha256:${"0".repeat(64)}`,
        size: 100,
        platform: { os: "linux", architecture: "arm64" },
      },
    ];
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    const bytes = Buffer.from(JSON.stringify(index));
    const put = await inSession(({ registry }) =>
      registry.putManifest("sparse", "v1", { mediaType: mediaTypes.ociIndex, bytes }),
    );
    expect(put.digest).toBe(digestOf(bytes));
  });

  test("is told by status with its volume, proxies and who may push", async () => {
    const told = await status({ namespace }, context());
    expect(told).toMatchObject({
      ...{ namespace, healthy: true, problems: [], pullAddress: address, mayPush: ["user:jane"] },
      registry: { ready: true },
      storage: { kind: "pvc", claim: "kpush-registry-data", capacity: "1Gi" },
    });
    expect(told.proxies?.every(({ ready }) => ready)).toBe(true);
    expect(told.storage.usedBytes).toBeGreaterThan(0);
    expect(told.storage.freeBytes).toBeGreaterThan(0);
  });

  test("is not healthy without a pod", async () => {
    await scale(0);
    try {
      await kubectl([
        ...["-n", namespace, "wait", "--for=delete", "pod"],
        ...["-l", "app.kubernetes.io/name=kpush-registry", "--timeout=60s"],
      ]);
      expect(await status({ namespace }, context())).toMatchObject({
        healthy: false,
        problems: [{ message: "the registry is scaled to 0" }],
      });
    } finally {
      await scale(1);
      await rollout("deployment/kpush-registry");
    }
  });

  test("case 13: on a volume of root's it is ready, and the proof tells what is wrong", async () => {
    // Nobody gives an emptyDir away where the pod has no fsGroup: here it stays root's, as a host path does.
    const patch = {
      spec: {
        template: {
          spec: {
            securityContext: { fsGroup: null, fsGroupChangePolicy: null },
            initContainers: [
              {
                name: "root",
                image: "busybox",
                imagePullPolicy: "IfNotPresent",
                command: ["chmod", "755", "/data"],
                securityContext: { runAsUser: 0, runAsNonRoot: false },
                volumeMounts: [{ name: "data", mountPath: "/data" }],
              },
            ],
            volumes: [{ name: "data", emptyDir: {}, persistentVolumeClaim: null }],
          },
        },
      },
    };
    const target = ["-n", namespace, "patch", "deployment/kpush-registry"];
    await kubectl([...target, "-p", JSON.stringify(patch)]);
    await rollout("deployment/kpush-registry");
    const error: unknown = await proof().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "REGISTRY_READ_ONLY",
      message: expect.stringContaining("permission denied") as string,
      hint: expect.stringContaining("--run-as-user 0") as string,
    });
    expect(isUnwritable(error)).toBe(true);
  });
});
