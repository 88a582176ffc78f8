import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketHandler } from "@kubernetes/client-node/dist/web-socket-handler.js";
import { expect, test } from "vitest";
import { WebSocket, type ClientOptions } from "ws";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import { selfSignedCertificate } from "../../src/demo/certificate.ts";
import { runningPod } from "../../src/demo/pods.ts";
import { kubeHome, type KubeHome } from "../fakes/kube-home.ts";
import { connectProxy, socksProxy } from "../fakes/proxies.ts";

const pods = "/api/v1/namespaces/kube-system/pods";
/** A name that nothing resolves: only a proxy can lead there. */
const host = "api.kpush.invalid";

const apiServer = () =>
  startApiServer({
    dial: () => Promise.reject(new Error("nothing to dial")),
    pods: [runningPod({ namespace: "kube-system", name: "registry" })],
    certificate: { hosts: [host, "127.0.0.1"] },
  });

/** A home whose kubeconfig names the server by a name that only a proxy knows. */
async function homeFor(
  server: ApiServer,
  env: Record<string, string>,
  cluster: object = {},
): Promise<KubeHome> {
  const home = await kubeHome(env);
  const authority = Buffer.from(server.certificate).toString("base64");
  await home.writeKubeconfig(
    { url: `https://${host}:6443`, certificate: server.certificate },
    {
      user: { token: server.token },
      cluster: { "certificate-authority-data": authority, ...cluster },
    },
  );
  return home;
}

async function listPods(home: KubeHome): Promise<number> {
  using cluster = await home.open();
  return (await cluster.request("GET", pods)).status;
}

test("case 25: HTTPS_PROXY leads to the server, for requests and upgrades, over one connection", async () => {
  await using server = await apiServer();
  await using proxy = await connectProxy({ to: server.port });
  await using home = await homeFor(server, { HTTPS_PROXY: `http://${proxy.address}` });
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).status).toBe(200);
  const factory = (uri: string, _: string[], options: ClientOptions) =>
    new WebSocket(uri, ["v4.channel.k8s.io"], options);
  const handler = new WebSocketHandler(cluster.config as never, factory);
  await handler.connect(`${pods}/registry/portforward?ports=5000`, null, null);
  expect(proxy.targets).toEqual([`${host}:6443`]);
});

test("case 25: proxy-url goes before HTTPS_PROXY, and NO_PROXY does not touch it", async () => {
  await using server = await apiServer();
  await using wanted = await connectProxy({ to: server.port });
  await using other = await connectProxy({ to: server.port });
  const env = { HTTPS_PROXY: `http://${other.address}`, NO_PROXY: "*" };
  await using home = await homeFor(server, env, { "proxy-url": `http://${wanted.address}` });
  expect(await listPods(home)).toBe(200);
  expect([wanted.targets.length, other.targets.length]).toEqual([1, 0]);
});

test("case 25: NO_PROXY goes before HTTPS_PROXY", async () => {
  await using server = await apiServer();
  await using proxy = await connectProxy({ to: server.port });
  await using home = await homeFor(server, {
    HTTPS_PROXY: `http://${proxy.address}`,
    NO_PROXY: ".kpush.invalid",
  });
  await expect(listPods(home)).rejects.toMatchObject({
    code: "CLUSTER_UNREACHABLE",
    message: expect.stringContaining(`${host} cannot be resolved`) as string,
  });
  expect(proxy.targets).toEqual([]);
});

test("case 25: a server on this machine needs no proxy", async () => {
  await using server = await apiServer();
  await using proxy = await connectProxy();
  await using home = await kubeHome({ HTTPS_PROXY: `http://${proxy.address}` });
  await home.writeKubeconfig(server, { user: { token: server.token } });
  expect(await listPods(home)).toBe(200);
  expect(proxy.targets).toEqual([]);
});

test("a proxy's login is in its address", async () => {
  await using server = await apiServer();
  await using proxy = await connectProxy({ to: server.port, login: "me:p@ss" });
  await using home = await homeFor(server, { HTTPS_PROXY: `http://me:p%40ss@${proxy.address}` });
  expect(await listPods(home)).toBe(200);
});

test("case 19: a proxy that wants a login is told apart", async () => {
  await using server = await apiServer();
  await using proxy = await connectProxy({ to: server.port, login: "me:x" });
  await using home = await homeFor(server, { HTTPS_PROXY: `http://${proxy.address}` });
  await expect(listPods(home)).rejects.toMatchObject({
    code: "CLUSTER_UNREACHABLE",
    message: expect.stringContaining("wants a login (407)") as string,
  });
});

test("a proxy that refuses is quoted with its status", async () => {
  await using server = await apiServer();
  await using proxy = await connectProxy({ status: 403 });
  await using home = await homeFor(server, { HTTPS_PROXY: `http://${proxy.address}` });
  await expect(listPods(home)).rejects.toThrow("refused with status 403");
});

test("a proxy that is not there is named by its own address", async () => {
  await using server = await apiServer();
  const proxy = await connectProxy();
  await proxy[Symbol.asyncDispose]();
  await using home = await homeFor(server, { HTTPS_PROXY: `http://${proxy.address}` });
  await expect(listPods(home)).rejects.toThrow(`nothing accepts connections at ${proxy.address}`);
});

test("case 19: a proxy that never answers is given up", async () => {
  await using server = await apiServer();
  await using silent = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
  await once(silent, "listening");
  await using home = await homeFor(server, {
    HTTPS_PROXY: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
  });
  {
    using cluster = await home.open({}, { timeout: 20 });
    await expect(cluster.request("GET", pods)).rejects.toThrow("does not answer");
  }
});

test("a SOCKS proxy resolves the name", async () => {
  await using server = await apiServer();
  await using proxy = await socksProxy({ to: server.port });
  await using home = await homeFor(server, {}, { "proxy-url": `socks5://${proxy.address}` });
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).status).toBe(200);
  expect((await cluster.request("GET", pods)).status).toBe(200);
  expect(proxy.targets).toEqual([`${host}:6443`]);
});

test("what goes wrong with TLS behind a SOCKS proxy is told as such", async () => {
  await using server = await apiServer();
  await using proxy = await socksProxy({ to: server.port });
  const { cert } = await selfSignedCertificate();
  const authority = Buffer.from(cert).toString("base64");
  await using home = await homeFor(
    server,
    {},
    { "proxy-url": `socks5://${proxy.address}`, "certificate-authority-data": authority },
  );
  await expect(listPods(home)).rejects.toMatchObject({ code: "CLUSTER_TLS" });
});

test("what is no proxy's address is refused", async () => {
  await using server = await apiServer();
  await using home = await homeFor(server, { HTTPS_PROXY: "ftp://x" });
  await expect(home.open()).rejects.toThrow("no proxy's address");
});
