import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/cluster/objects.ts";
import { mapping } from "../../src/cluster/values.ts";
import {
  addonObjects,
  addonWorld,
  newerAddonObjects,
  type AddonWorld,
} from "../fakes/old-addon.ts";

const namespace = "kube-system";
const text = (pattern: RegExp) => expect.stringMatching(pattern) as string;
const steps = ({ events }: AddonWorld, label: string) =>
  events.flatMap((event) => (event.type === "step" && event.label === label ? [event.text] : []));
const deployment = ({ store }: AddonWorld) => store.find("Deployment", "kpush-registry", namespace);
const podSpec = (object: KubeObject | undefined) =>
  mapping(mapping(mapping(object?.["spec"])["template"])["spec"]);
const outcome = (objects: readonly { kind: string; name: string; action: string }[]) =>
  Object.fromEntries(objects.map(({ kind, name, action }) => [`${kind}/${name}`, action]));

/** The addon's objects, with one of them changed. */
function changed(kind: string, change: (object: KubeObject) => void): KubeObject[] {
  const objects = addonObjects();
  for (const object of objects) if (object.kind === kind) change(object);
  return objects;
}

/** The spec of its registry's pods, or of its proxies', to be changed. */
function specOf(object: KubeObject) {
  return podSpec(object) as {
    volumes: object[];
    containers: [{ ports: { hostPort?: number }[] }];
    securityContext?: object;
  };
}

/** The addon with its images in this volume. */
const withVolume = (volume: object) =>
  changed("ReplicationController", (object) => {
    specOf(object).volumes = [{ name: "image-store", ...volume }];
  });

describe("replacing the old addon", () => {
  test("takes its claim, its port and its Service over, and removes the rest", async () => {
    await using cluster = await addonWorld();
    cluster.isOpen = true;
    const result = await cluster.replace();
    expect(result).toMatchObject({
      ...{ namespace, pullAddress: "localhost:5000" },
      provedNodes: ["node1", "node2"],
    });
    expect(outcome(result.objects)).toMatchObject({
      "Deployment/kpush-registry": "created",
      "DaemonSet/kpush-node-proxy": "created",
      "Service/kube-registry": "changed",
      "DaemonSet/kube-registry-proxy": "removed",
      "ConfigMap/kube-registry-proxy": "removed",
      "ReplicationController/kube-registry-v0": "removed",
      "PersistentVolumeClaim/kube-registry-pvc": "kept",
    });
    expect(Object.keys(cluster.state()).filter((key) => key.includes("/kube-registry"))).toEqual([
      "PersistentVolumeClaim kube-system/kube-registry-pvc",
      "Service kube-system/kube-registry",
    ]);
    expect(podSpec(deployment(cluster))).toMatchObject({
      securityContext: { runAsUser: 1000 },
      volumes: [{}, { persistentVolumeClaim: { claimName: "kube-registry-pvc" } }],
    });
    expect(cluster.store.find("Service", "kube-registry", namespace)?.["spec"]).toEqual({
      selector: {
        "app.kubernetes.io/name": "kpush-registry",
        "app.kubernetes.io/instance": "kpush",
      },
      ports: [{ name: "registry", port: 5000, targetPort: "http" }],
    });
    expect(cluster.warnings()).toEqual([]);
    expect(steps(cluster, "images")).toEqual(["serves user/app:1 as before"]);
    expect(cluster.world.registry.store.repository("kpush/proof").manifests.size).toBe(0);
    expect(cluster.world.registry.store.repository("user/app").blobs.size).toBe(2);
  });

  test("replaces the newer copies too: a Deployment with a ConfigMap of its own", async () => {
    await using cluster = await addonWorld(newerAddonObjects());
    await cluster.replace();
    expect(Object.keys(cluster.state()).filter((key) => key.includes("/kube-registry"))).toEqual([
      "PersistentVolumeClaim kube-system/kube-registry",
      "Service kube-system/kube-registry",
    ]);
    expect(podSpec(deployment(cluster))["volumes"]).toMatchObject([
      {},
      { persistentVolumeClaim: { claimName: "kube-registry" } },
    ]);
  });

  test("case 13: where only root may write, runs as root as the old one did, and says so", async () => {
    await using cluster = await addonWorld();
    await cluster.replace();
    expect(podSpec(deployment(cluster))["securityContext"]).toMatchObject({ runAsUser: 0 });
    expect(cluster.warnings()).toEqual([
      "as user 1000 the registry may not write to the volume: it runs as root, as the old one did",
    ]);
  });

  test("case 13: runs as root too where only the old repositories are closed to others", async () => {
    await using cluster = await addonWorld();
    cluster.isOpen = true;
    const { registry } = cluster.world;
    const serve = registry.onRequest;
    registry.onRequest = (request, response) => {
      const { securityContext } = podSpec(deployment(cluster));
      const isRoot = mapping(securityContext)["runAsUser"] === 0;
      if (isRoot || request.method !== "POST" || !request.url?.startsWith("/v2/user/app/"))
        return serve?.(request, response) ?? false;
      const message = "mkdir /var/lib/registry/docker: permission denied";
      request.resume();
      response.writeHead(500, { "content-type": "application/json" });
      response.end(JSON.stringify({ errors: [{ code: "UNKNOWN", message }] }));
      return true;
    };
    await cluster.replace();
    expect(podSpec(deployment(cluster))["securityContext"]).toMatchObject({ runAsUser: 0 });
  });

  test("shows its plan before it asks, and changes nothing where the user says no", async () => {
    await using cluster = await addonWorld();
    const questions: string[] = [];
    let plan: string[] = [];
    const confirm = (question: string) => {
      questions.push(question);
      plan = steps(cluster, "plan");
      return Promise.reject(new Error("the user says no"));
    };
    await expect(cluster.replace({}, { confirm })).rejects.toThrow("the user says no");
    expect(questions).toEqual(["Replace the old registry in kube-system of context test?"]);
    expect(plan).toEqual([
      "replicationcontroller kube-system/kube-registry-v0 is scaled to 0, and stays until the end",
      "the new registry starts as user 1000 on the same claim, kube-registry-pvc, and must serve user/app:1 and take a push, or all is put back as it was",
      "service kube-registry stays, and leads to the new registry",
      "daemonset kube-registry-proxy goes; kpush's node proxies take port 5000 of the nodes",
      "replicationcontroller kube-registry-v0, configmap kube-registry-proxy go last",
    ]);
    expect(cluster.store.writes()).toEqual([]);
  });

  test("tells in a dry run what would become of the old objects too", async () => {
    await using cluster = await addonWorld();
    const { objects, dryRun } = await cluster.replace({ dryRun: "server" });
    expect(dryRun).toBe("server");
    expect(outcome(objects)).toMatchObject({
      "Deployment/kpush-registry": "created",
      "Service/kube-registry": "changed",
      "ReplicationController/kube-registry-v0": "removed",
      "ConfigMap/kube-registry-proxy": "removed",
    });
    expect(cluster.store.writes()).toEqual([]);
  });

  test("keeps the port of the old proxies, also where an earlier run has removed them", async () => {
    const objects = changed("DaemonSet", (object) => {
      specOf(object).containers[0].ports = [{ hostPort: 5100 }];
    });
    await using cluster = await addonWorld(objects);
    cluster.onWrite = (what) => what === "PATCH daemonsets/kpush-node-proxy";
    await expect(cluster.replace()).rejects.toThrow("etcdserver");
    expect(cluster.warnings()).toContain(
      "the new registry has the old images and serves them, but the replacement is not finished",
    );
    cluster.onWrite = undefined;
    expect((await cluster.replace()).pullAddress).toBe("localhost:5100");
  });

  test("is told as done already where it is, and a plain install keeps claim and user", async () => {
    await using cluster = await addonWorld();
    await cluster.replace();
    const again = await cluster.replace({}, { confirm: () => Promise.reject(new Error("asked")) });
    expect(new Set(again.objects.map(({ action }) => action))).toEqual(new Set(["unchanged"]));
    expect(steps(cluster, "addon").at(-1)).toMatch(/^replaced already/);

    const plain = await cluster.replace({ replaceAddon: false, namespace });
    expect(new Set(plain.objects.map(({ action }) => action))).toEqual(new Set(["unchanged"]));
    expect(steps(cluster, "proof").at(-1)).toMatch(/^stands/);
  });
});

describe("a replacement that fails before the new registry is proved", () => {
  /** Objects before and after a run that is to fail. */
  async function failing(cluster: AddonWorld, run: () => Promise<unknown>) {
    const before = cluster.state();
    const error = await run().catch((reason: unknown) => reason);
    expect(cluster.state()).toEqual(before);
    expect(cluster.servesOldImage()).toBe(true);
    return error;
  }
  const isBack =
    "replicationcontroller kube-system/kube-registry-v0 is as it was before; nothing of the old addon was removed";

  test("as the new one lacks the old images, puts all back", async () => {
    await using cluster = await addonWorld();
    const { registry } = cluster.world;
    const serve = registry.onRequest;
    registry.onRequest = (request, response) => {
      const isLost = deployment(cluster) && request.url?.startsWith("/v2/user/app/manifests");
      if (!isLost) return serve?.(request, response) ?? false;
      response.writeHead(404, { "content-type": "application/json" }).end('{"errors":[]}');
      return true;
    };
    expect(await failing(cluster, () => cluster.replace())).toMatchObject({
      code: "VERIFY_FAILED",
      message:
        "the new registry does not serve user/app:1 as the old one did: it has no such image",
    });
    expect(cluster.warnings().at(-1)).toBe(isBack);
  });

  test("as a layer of the old image comes otherwise, puts all back", async () => {
    await using cluster = await addonWorld();
    const { registry } = cluster.world;
    const serve = registry.onRequest;
    registry.onRequest = (request, response) => {
      const isBlob = request.method === "GET" && request.url?.includes("/blobs/sha256");
      if (!isBlob) return serve?.(request, response) ?? false;
      response.end("other bytes");
      return true;
    };
    expect(await failing(cluster, () => cluster.replace())).toMatchObject({
      code: "VERIFY_FAILED",
      message: text(/layer sha256:\w+ came as sha256:/),
    });
  });

  test("as the user that was asked for may not write, puts all back", async () => {
    await using cluster = await addonWorld();
    const error = await failing(cluster, () => cluster.replace({ runAsUser: 1000 }));
    expect(error).toMatchObject({ code: "REGISTRY_READ_ONLY" });
    expect(cluster.warnings()).toEqual([isBack]);
  });

  test("by Ctrl-C puts all back, and ends with its reason", async () => {
    await using cluster = await addonWorld();
    const interrupt = new AbortController();
    const seen: string[] = [];
    cluster.onWrite = (what) => {
      seen.push(what);
      if (what === "PATCH deployments/kpush-registry") interrupt.abort(new Error("interrupted"));
      return false;
    };
    const run = () => cluster.replace({}, { signal: interrupt.signal });
    expect(await failing(cluster, run)).toMatchObject({ message: "interrupted" });
    // Two registries must not have the claim at once.
    expect(seen.indexOf("DELETE deployments/kpush-registry")).toBeGreaterThan(0);
    expect(seen.indexOf("DELETE deployments/kpush-registry")).toBeLessThan(
      seen.lastIndexOf("PATCH replicationcontrollers/kube-registry-v0"),
    );
    expect(cluster.warnings()).toEqual([isBack]);
  });

  test("after an earlier one was killed puts back what that one had scaled down", async () => {
    await using cluster = await addonWorld();
    const before = cluster.state();
    cluster.onWrite = (what) => {
      cluster.isDown ||= what === "PATCH deployments/kpush-registry";
      return cluster.isDown;
    };
    await expect(cluster.replace()).rejects.toThrow();
    expect(cluster.servesOldImage()).toBe(false);
    cluster.isDown = false;
    cluster.onWrite = (what) => what === "PATCH deployments/kpush-registry";
    await expect(cluster.replace()).rejects.toThrow("etcdserver");
    expect(cluster.servesOldImage()).toBe(true);
    const rc = "ReplicationController kube-system/kube-registry-v0";
    expect(cluster.state()[rc]).toEqual(before[rc]);
    // By the image that the first run had noted.
    expect(steps(cluster, "plan").at(-4)).toContain("must serve user/app:1");
  });

  test("and cannot be put back, tells the commands that do", async () => {
    await using cluster = await addonWorld();
    cluster.onWrite = (what) => {
      cluster.isDown ||= what === "PATCH deployments/kpush-registry";
      return cluster.isDown;
    };
    await expect(cluster.replace()).rejects.toThrow();
    expect(cluster.events).toContainEqual({
      type: "warning",
      message: text(/kube-registry-v0 could not be put back/),
      hint: "kubectl delete deployment -n kube-system kpush-registry; kubectl scale -n kube-system --replicas=1 replicationcontroller/kube-registry-v0; or run kpush install --replace-addon again",
    });
  });
});

describe("an old registry without a claim", () => {
  test("of which nothing can be taken along stays up until the new one is proved", async () => {
    await using cluster = await addonWorld(withVolume({ emptyDir: {} }));
    cluster.store.put({
      ...{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass" },
      metadata: {
        name: "standard",
        annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
      },
    });
    const pods: string[][] = [];
    cluster.onWrite = (what) => {
      if (what === "PATCH services/kube-registry")
        pods.push(cluster.world.api.pods.map(({ metadata }) => metadata.name));
      return false;
    };
    await cluster.replace();
    expect(pods).toEqual([["kube-registry-v0-registry-1", "kpush-registry-registry-1"]]);
    expect(cluster.warnings()).toContain(
      "the old registry keeps its images on an emptyDir: they cannot be taken along, and are lost",
    );
    expect(podSpec(deployment(cluster))["volumes"]).toMatchObject([
      {},
      { persistentVolumeClaim: { claimName: "kpush-registry-data" } },
    ]);
    expect(cluster.store.find("ReplicationController", "kube-registry-v0", namespace)).toBe(
      undefined,
    );
  });

  test("but a volume needs one that the user makes", async () => {
    await using cluster = await addonWorld(withVolume({ hostPath: { path: "/srv" } }));
    await expect(cluster.replace()).rejects.toMatchObject({
      code: "INSTALL_REFUSED",
      message: text(/keeps its images on a hostPath volume without a claim/),
    });
    await cluster.replace({ storage: "claim:kube-registry-pvc" });
    expect(steps(cluster, "images")).toEqual(["serves user/app:1 as before"]);
  });
});

describe("an old registry that cannot be asked for an image", () => {
  const atNone = () =>
    changed("ReplicationController", (object) => (mapping(object["spec"])["replicas"] = 0));

  test("is replaced where the new one finds one on its claim", async () => {
    await using cluster = await addonWorld(atNone());
    await cluster.replace();
    expect(steps(cluster, "plan")[1]).toContain("must serve an image that is there");
    expect(steps(cluster, "images")).toEqual(["serves user/app:1 as before"]);
  });

  test("stays, at 0, where the new one finds none", async () => {
    await using cluster = await addonWorld(atNone());
    await cluster.world.registry.clear();
    const before = cluster.state();
    await expect(cluster.replace()).rejects.toMatchObject({
      code: "VERIFY_FAILED",
      message: text(/finds no image on the claim/),
    });
    expect(cluster.state()).toEqual(before);
  });

  test("but is empty is replaced by one that takes a push", async () => {
    await using cluster = await addonWorld();
    await cluster.world.registry.clear();
    await cluster.replace();
    expect(steps(cluster, "plan")[1]).toContain("must take a push (it has no images so far)");
    expect(steps(cluster, "images")).toEqual([]);
    expect(deployment(cluster)).toBeDefined();
  });
});
