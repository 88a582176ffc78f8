import { describe, expect, test } from "vitest";
import { explainForbidden } from "../../src/cluster/access-review.ts";
import { findRegistry, repin } from "../../src/cluster/discovery.ts";
import type { Cluster, RegistryOptions } from "../../src/cluster/types.ts";
import type { Allow } from "../../src/demo/api-answers.ts";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import { runningPod, type Pod } from "../../src/demo/pods.ts";
import { kubeHome } from "../fakes/kube-home.ts";

const signal = new AbortController().signal;
const kpush = { "app.kubernetes.io/name": "kpush-registry" };
const old = { "k8s-app": "kube-registry" };

interface Scene extends AsyncDisposable {
  server: ApiServer;
  cluster: Cluster;
}

/** A cluster with these pods, in a context whose namespace is `dev`. */
async function scene(pods: Pod[], allow: Allow = () => true): Promise<Scene> {
  const server = await startApiServer({
    dial: () => Promise.reject(new Error("nothing to dial")),
    pods,
    allow,
  });
  const home = await kubeHome();
  await home.writeKubeconfig(server, { user: { token: server.token }, namespace: "dev" });
  const cluster = await home.open();
  return {
    server,
    cluster,
    async [Symbol.asyncDispose]() {
      cluster[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

const pod = (namespace: string, labels: Record<string, string>, name = `registry-${namespace}`) =>
  runningPod({ namespace, name, labels });

/** The same pod, run by this controller. */
const ownedBy = (owner: string, one: Pod): Pod => {
  const [kind, name] = owner.split("/");
  return {
    ...one,
    metadata: { ...one.metadata, ownerReferences: [{ kind, name, controller: true }] },
  };
};
const notReady = (one: Pod): Pod => ({
  ...one,
  status: { ...one.status, conditions: [{ type: "Ready", status: "False" }] },
});

describe("finding the registry", () => {
  test.for([
    [
      "kpush's own namespace first",
      [pod("dev", kpush), pod("kube-system", old), pod("kpush-system", kpush)],
      "kpush-system",
    ],
    ["then kube-system", [pod("dev", kpush), pod("kube-system", old)], "kube-system"],
    ["then the context's namespace", [pod("elsewhere", kpush), pod("dev", old)], "dev"],
  ] as const)("%s", async ([, pods, namespace]) => {
    await using at = await scene([...pods]);
    expect(await findRegistry(at.cluster, {}, signal)).toMatchObject({
      namespace,
      name: `registry-${namespace}`,
      uid: `uid-registry-${namespace}`,
      port: 5000,
    });
  });

  test("-n looks there alone, and for every kind", async () => {
    await using at = await scene([pod("kpush-system", old), pod("kube-system", old)]);
    expect(await findRegistry(at.cluster, { namespace: "kpush-system" }, signal)).toMatchObject({
      namespace: "kpush-system",
    });
    expect(at.server.requests).toHaveLength(2);
    await expect(
      findRegistry(at.cluster, { namespace: "elsewhere" }, signal),
    ).rejects.toMatchObject({ code: "REGISTRY_NOT_FOUND" });
  });

  test("-l replaces the kinds, and --registry-port their port", async () => {
    await using at = await scene([pod("kube-system", old), pod("dev", { app: "mine", tier: "x" })]);
    const options: RegistryOptions = {
      selector: "app=mine,tier in (x,y)",
      registryPort: "registry",
    };
    expect(await findRegistry(at.cluster, options, signal)).toMatchObject({
      namespace: "dev",
      kind: "selector",
      port: 5000,
    });
    expect(
      await findRegistry(at.cluster, { selector: "app=mine", registryPort: "81" }, signal),
    ).toMatchObject({ port: 81 });
  });

  test("a registry elsewhere is not looked for", async () => {
    await using at = await scene([pod("evil", kpush)]);
    await expect(findRegistry(at.cluster, {}, signal)).rejects.toMatchObject({
      code: "REGISTRY_NOT_FOUND",
      message: expect.stringMatching(
        /no pod with the label .*kpush-registry.* in namespaces kpush-system, kube-system, dev$/,
      ) as string,
      hint: expect.stringContaining("kpush install") as string,
    });
  });

  test("node proxies are no registries, and are told of", async () => {
    await using at = await scene([ownedBy("DaemonSet/proxy", pod("kube-system", old))]);
    await expect(findRegistry(at.cluster, {}, signal)).rejects.toMatchObject({
      code: "REGISTRY_NOT_FOUND",
      message: expect.stringContaining("1 with it are node proxies") as string,
    });
  });

  test("two registries in the first namespace are an error, though others follow", async () => {
    await using at = await scene([
      pod("kpush-system", kpush, "a"),
      pod("kpush-system", kpush, "b"),
      pod("dev", kpush),
    ]);
    await expect(findRegistry(at.cluster, {}, signal)).rejects.toMatchObject({
      code: "REGISTRY_AMBIGUOUS",
    });
  });

  test("one that is not ready is not passed over for another namespace", async () => {
    await using at = await scene([notReady(pod("kpush-system", kpush)), pod("kube-system", old)]);
    await expect(findRegistry(at.cluster, {}, signal)).rejects.toMatchObject({
      code: "REGISTRY_NOT_READY",
    });
  });
});

describe("without permission", () => {
  test("a namespace that may not be listed is passed over", async () => {
    await using at = await scene([pod("dev", old)], (_, __, namespace) => namespace === "dev");
    expect(await findRegistry(at.cluster, {}, signal)).toMatchObject({ namespace: "dev" });
  });

  test("and named if nothing is found", async () => {
    await using at = await scene([], (_, __, namespace) => namespace === "dev");
    await expect(findRegistry(at.cluster, {}, signal)).rejects.toMatchObject({
      code: "REGISTRY_NOT_FOUND",
      message: expect.stringMatching(
        /in namespace dev; namespaces kpush-system, kube-system may not be looked into$/,
      ) as string,
    });
  });

  test.for([{}, { namespace: "dev" }])(
    "where none may be listed (%o), the missing verb is named",
    async (options) => {
      await using at = await scene([], () => false);
      await expect(findRegistry(at.cluster, options, signal)).rejects.toMatchObject({
        code: "CLUSTER_FORBIDDEN",
        message: expect.stringContaining("you may not list pods in namespace") as string,
        hint: expect.stringContaining("--verb=list --resource=pods") as string,
      });
    },
  );

  test.for([
    ["get", "get pods/portforward"],
    ["create", "create pods/portforward"],
    ["neither", "get pods/portforward and create pods/portforward"],
  ] as const)("case 2: a port-forward without %s: the error names %s", async ([lacking, named]) => {
    await using at = await scene(
      [],
      (verb, resource) =>
        resource !== "pods/portforward" || (lacking !== "neither" && verb !== lacking),
    );
    const error = await explainForbidden(
      at.cluster,
      { namespace: "dev" },
      'pods "x" is forbidden: ',
    );
    expect(error).toMatchObject({
      code: "CLUSTER_FORBIDDEN",
      message: `you may not ${named} in namespace dev of context test (pods "x" is forbidden:)`,
      hint: expect.stringContaining(
        "kubectl create role kpush-forward -n dev --verb=get,create --resource=pods/portforward",
      ) as string,
    });
  });

  test("case 3: a 403 although all is granted is not put down to permissions", async () => {
    await using at = await scene([]);
    const error = await explainForbidden(at.cluster, { namespace: "dev" }, "");
    expect(error).toMatchObject({
      code: "CLUSTER_FAILED",
      message: expect.stringContaining("it gave no reason") as string,
    });
  });

  test("where reviews are not to be had, both verbs are named", async () => {
    await using at = await scene([]);
    at.server.onRequest = (_, response) => {
      response.writeHead(500).end();
      return true;
    };
    expect((await explainForbidden(at.cluster, { namespace: "dev" }, "")).message).toContain(
      "get pods/portforward and create pods/portforward",
    );
  });
});

describe("usage", () => {
  test.for([
    { namespace: "Not A Name" },
    { namespace: "../../etc" },
    { registryPort: "0" },
    { registryPort: "65536" },
  ])("%o is refused before anything is asked", async (options) => {
    await using at = await scene([]);
    await expect(findRegistry(at.cluster, options, signal)).rejects.toMatchObject({
      code: "USAGE",
    });
    expect(at.server.requests).toEqual([]);
  });

  test("a selector that the server does not understand is a usage error", async () => {
    await using at = await scene([]);
    await expect(findRegistry(at.cluster, { selector: "a in (" }, signal)).rejects.toMatchObject({
      code: "USAGE",
    });
  });
});

describe("odd answers", () => {
  test.for([
    ["a gateway's page", 200, "<html>log in</html>", "something that is no Kubernetes object"],
    ["another object", 200, '{"kind":"Status"}', "something that is no Kubernetes object"],
    [
      "a server in trouble",
      500,
      '{"kind":"Status","message":"etcdserver: leader changed"}',
      "etcdserver: leader changed",
    ],
    ["a gateway in trouble", 502, "<html>bad gateway</html>", "status 502 with an HTML page"],
    ["a redirect", 302, "", "status 302"],
  ] as const)("%s", async ([, status, body, message]) => {
    await using at = await scene([]);
    at.server.onRequest = (_, response) => {
      response.writeHead(status).end(body);
      return true;
    };
    await expect(findRegistry(at.cluster, {}, signal)).rejects.toMatchObject({
      code: "CLUSTER_FAILED",
      message: expect.stringContaining(message) as string,
    });
  });
});

describe("finding the pod that replaced a lost one", () => {
  const first = () => ownedBy("ReplicaSet/registry", pod("kube-system", old, "first"));
  const second = () => ownedBy("ReplicaSet/registry", pod("kube-system", old, "second"));
  const fast = { interval: 1, limit: 30 };

  test("case 5: the replacement is waited for until it is ready", async () => {
    await using at = await scene([first()]);
    const lost = await findRegistry(at.cluster, {}, signal);
    at.server.pods = [notReady(second())];
    let looks = 0;
    at.server.onRequest = () => {
      looks += 1;
      if (looks === 6) at.server.pods = [second()];
      return false;
    };
    expect(await repin(at.cluster, lost, {}, signal, { interval: 1, limit: 10_000 })).toMatchObject(
      { name: "second", uid: "uid-second" },
    );
    expect(looks).toBeGreaterThanOrEqual(6);
  });

  test("the same pod is taken where it is still well, another one before it", async () => {
    await using at = await scene([first()]);
    const lost = await findRegistry(at.cluster, {}, signal);
    expect(await repin(at.cluster, lost, {}, signal, fast)).toEqual(lost);
    at.server.pods = [first(), second()];
    expect(await repin(at.cluster, lost, {}, signal, fast)).toMatchObject({ name: "second" });
  });

  test("another owner's pod is no replacement", async () => {
    await using at = await scene([first()]);
    const lost = await findRegistry(at.cluster, {}, signal);
    at.server.pods = [ownedBy("ReplicaSet/other", pod("kube-system", old, "other"))];
    await expect(repin(at.cluster, lost, {}, signal, fast)).rejects.toMatchObject({
      code: "POD_GONE",
      message: expect.stringContaining("nothing replaced it") as string,
    });
  });

  test("a replacement that does not get ready is explained", async () => {
    await using at = await scene([first()]);
    const lost = await findRegistry(at.cluster, {}, signal);
    at.server.pods = [notReady(second())];
    await expect(repin(at.cluster, lost, {}, signal, fast)).rejects.toMatchObject({
      code: "POD_GONE",
      message: expect.stringContaining(
        "its replacement second runs, but is not ready yet",
      ) as string,
    });
  });

  test("an abort ends the wait with its reason", async () => {
    await using at = await scene([first()]);
    const lost = await findRegistry(at.cluster, {}, signal);
    at.server.pods = [];
    const abort = new AbortController();
    at.server.onRequest = () => {
      abort.abort(new Error("interrupted"));
      return false;
    };
    await expect(
      repin(at.cluster, lost, {}, abort.signal, { interval: 60_000, limit: 60_000 }),
    ).rejects.toThrow("interrupted");
  });
});
