import type { IncomingMessage } from "node:http";
import { WebSocketHandler } from "@kubernetes/client-node/dist/web-socket-handler.js";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WebSocket, type ClientOptions } from "ws";
import {
  startApiServer,
  type ApiServer,
  type ApiServerOptions,
} from "../../src/demo/api-server.ts";
import { runningPod } from "../../src/demo/pods.ts";
import type { Cluster } from "../../src/cluster/types.ts";
import { kubeHome } from "../fakes/kube-home.ts";

const pods = "/api/v1/namespaces/kube-system/pods";

function apiServer(options: Partial<ApiServerOptions> = {}): Promise<ApiServer> {
  const registry = runningPod({ namespace: "kube-system", name: "registry" });
  return startApiServer({
    dial: () => Promise.reject(new Error("nothing to dial")),
    pods: [registry],
    ...options,
  });
}

/** Every request and upgrade that comes, in order, before it is answered as usual. */
function record(server: ApiServer): IncomingMessage[] {
  const seen: IncomingMessage[] = [];
  const look = (request: IncomingMessage) => {
    seen.push(request);
    return false;
  };
  server.onRequest = look;
  server.onUpgrade = look;
  return seen;
}

/** Answers all requests like this, whoever asks. */
function answerAll(server: ApiServer, status: number, body: string): void {
  server.onRequest = (_, response) => {
    response.writeHead(status).end(body);
    return true;
  };
}

/** Opens a WebSocket as the tunnel does: client-node's handler, a socket of our own. */
function upgrade(cluster: Cluster, path: string): Promise<unknown> {
  const factory = (uri: string, _: string[], options: ClientOptions) =>
    new WebSocket(uri, ["v4.channel.k8s.io"], options);
  const handler = new WebSocketHandler(cluster.config as never, factory);
  return handler.connect(path, null, null);
}

test("a token, the server's path prefix and the context's namespace are used", async () => {
  await using server = await apiServer({ prefix: "/k8s/clusters/c-1" });
  await using home = await kubeHome();
  await home.writeKubeconfig(server, { user: { token: server.token }, namespace: "dev" });
  using cluster = await home.open();
  expect(cluster).toMatchObject({ context: "test", namespace: "dev", server: server.url });
  expect(await cluster.request("GET", pods)).toMatchObject({
    status: 200,
    json: { kind: "PodList" },
  });
  expect(server.requests).toEqual([`GET /k8s/clusters/c-1${pods}`]);
});

test("an upgrade takes the connection that a request left idle", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, { user: { token: server.token } });
  using cluster = await home.open();
  const seen = record(server);
  await cluster.request("GET", pods);
  await upgrade(cluster, `${pods}/registry/portforward?ports=5000`);
  const [first, second] = seen.map(({ socket }) => socket);
  expect(seen).toHaveLength(2);
  expect(second?.remotePort).toBe(first?.remotePort);
});

test("requests at once open connections of their own, which are kept for what follows", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, { user: { token: server.token } });
  using cluster = await home.open();
  const seen = record(server);
  const ports = () => new Set(seen.map(({ socket }) => socket.remotePort)).size;
  const three = () => Promise.all([1, 2, 3].map(() => cluster.request("GET", pods)));
  await three();
  expect(ports()).toBe(3);
  await three();
  expect(ports()).toBe(3);
});

test("user and password are sent as Basic, to upgrades too", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, { user: { username: "joe", password: "s:crét" } });
  using cluster = await home.open();
  const seen = record(server);
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CLUSTER_UNAUTHORIZED",
  });
  await expect(upgrade(cluster, `${pods}/registry/portforward?ports=5000`)).rejects.toBeDefined();
  const basic = `Basic ${Buffer.from("joe:s:crét").toString("base64")}`;
  expect(seen.map(({ headers }) => headers.authorization)).toEqual([basic, basic]);
});

test("impersonation goes with requests and upgrades", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, {
    user: { token: server.token, "as-user-extra": { scopes: ["x"] } },
  });
  using cluster = await home.open({ as: "ann", asGroup: ["a", "b"], asUid: "7" });
  const seen = record(server);
  await cluster.request("GET", pods);
  await upgrade(cluster, `${pods}/registry/portforward?ports=5000`);
  expect(seen).toHaveLength(2);
  for (const { headers } of seen) {
    expect(headers).toMatchObject({
      "impersonate-user": "ann",
      "impersonate-uid": "7",
      "impersonate-group": "a, b",
      "impersonate-extra-scopes": "x",
    });
  }
});

test("case 4: after a 401 the token file is read again, and the request repeated", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.write("token", "old\n");
  await home.writeKubeconfig(server, { user: { tokenFile: "token" } });
  using cluster = await home.open();
  await cluster.config.applyToHTTPSOptions({});
  await home.write("token", `${server.token}\n`);
  expect((await cluster.request("GET", pods)).status).toBe(200);
  expect(server.requests).toHaveLength(2);
});

test("case 4: a second 401 is a clear failure", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.write("token", "wrong");
  await home.writeKubeconfig(server, { user: { tokenFile: "token" } });
  using cluster = await home.open();
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CLUSTER_UNAUTHORIZED",
    message: `the API server ${server.url} does not accept the credentials of tester: Unauthorized`,
  });
  expect(server.requests).toHaveLength(1); // the file had nothing new
});

test("a token file goes before the token as long as it can be read", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.write("token", server.token);
  await home.writeKubeconfig(server, { user: { token: "fixed", tokenFile: "token" } });
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).status).toBe(200);

  await home.writeKubeconfig(server, { user: { token: server.token, tokenFile: "gone" } });
  using other = await home.open();
  expect((await other.request("GET", pods)).status).toBe(200);
});

test("files that the kubeconfig names and that are not there are named", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, {
    user: { "client-certificate": "gone.crt", "client-key": "gone.key" },
  });
  using cluster = await home.open();
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CREDENTIALS_FAILED",
    message: expect.stringContaining(join(home.directory, "gone.")) as string,
  });
});

test.for(["gcp", "azure"])(
  "the auth-provider %s is refused with what to use instead",
  async (name) => {
    await using home = await kubeHome();
    await home.writeKubeconfig(
      { url: "https://127.0.0.1:1", certificate: "" },
      { user: { "auth-provider": { name } } },
    );
    await expect(home.open()).rejects.toMatchObject({
      code: "CREDENTIALS_FAILED",
      message: expect.stringContaining(
        `the auth-provider ${name}, which kubectl dropped`,
      ) as string,
      hint: expect.stringMatching(/gke-gcloud-auth-plugin|kubelogin/) as string,
    });
  },
);

test("inside of a pod the service account serves where there is no kubeconfig", async () => {
  await using server = await apiServer();
  await using home = await kubeHome({
    KUBERNETES_SERVICE_HOST: "127.0.0.1",
    KUBERNETES_SERVICE_PORT: String(server.port),
  });
  const serviceAccount = join(home.directory, "serviceaccount");
  await mkdir(serviceAccount);
  await writeFile(join(serviceAccount, "token"), server.token);
  await writeFile(join(serviceAccount, "ca.crt"), server.certificate);
  await writeFile(join(serviceAccount, "namespace"), "build");
  using cluster = await home.open({}, { serviceAccount });
  expect(cluster).toMatchObject({ context: "in-cluster", namespace: "build" });
  expect((await cluster.request("GET", pods)).status).toBe(200);

  await home.writeKubeconfig(server, { user: { token: "x" } });
  using other = await home.open({}, { serviceAccount });
  expect(other.context).toBe("test");
});

test("outside of a pod a missing kubeconfig is told", async () => {
  await using home = await kubeHome();
  await expect(home.open({}, { serviceAccount: home.directory })).rejects.toMatchObject({
    code: "KUBECONFIG_NOT_FOUND",
  });
});

test("an answer that never comes is given up", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, { user: { token: server.token } });
  server.onRequest = () => true;
  using cluster = await home.open({}, { timeout: 20 });
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CLUSTER_UNREACHABLE",
    message: expect.stringContaining("does not answer") as string,
  });
});

test("an abort ends a request with its reason", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, { user: { token: server.token } });
  const abort = new AbortController();
  const reason = new Error("interrupted");
  server.onRequest = () => {
    abort.abort(reason);
    return true;
  };
  using cluster = await home.open({}, {}, abort.signal);
  await expect(cluster.request("GET", pods)).rejects.toBe(reason);
});

test("a kept connection that the server closed is replaced unseen", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, { user: { token: server.token } });
  using cluster = await home.open();
  await cluster.request("GET", pods);
  let dropped = false;
  server.onRequest = ({ socket }) => {
    if (dropped) return false;
    dropped = true;
    socket.destroy(); // as a server does whose idle limit passes while the request is on its way
    return true;
  };
  expect((await cluster.request("GET", pods)).status).toBe(200);
});

test("other statuses are returned, with JSON where there is some", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, { user: { token: server.token } });
  using cluster = await home.open();
  answerAll(server, 503, "<html>gateway</html>");
  expect(await cluster.request("GET", pods)).toEqual({
    status: 503,
    json: undefined,
    text: "<html>gateway</html>",
  });
});

test("an answer without end is not taken into memory", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.writeKubeconfig(server, { user: { token: server.token } });
  using cluster = await home.open();
  answerAll(server, 500, "x".repeat(1024 * 1024));
  expect((await cluster.request("GET", pods)).text.length).toBeLessThanOrEqual(64 * 1024);
});
