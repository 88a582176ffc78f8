import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type AddressInfo, type Server } from "node:net";
import { expect, test } from "vitest";
import { startApiServer, type ApiServerOptions } from "../../src/demo/api-server.ts";
import { selfSignedCertificate } from "../../src/demo/certificate.ts";
import { kubeHome, type KubeHome, type KubeconfigFacts } from "../fakes/kube-home.ts";

const pods = "/api/v1/namespaces/kube-system/pods";
const day = 24 * 60 * 60 * 1000;
const base64 = (text: string) => Buffer.from(text).toString("base64");

const apiServer = (certificate: ApiServerOptions["certificate"] = {}) =>
  startApiServer({ dial: () => Promise.reject(new Error("nothing to dial")), certificate });

async function listPods(home: KubeHome): Promise<number> {
  using cluster = await home.open();
  return (await cluster.request("GET", pods)).status;
}

/** What the kubeconfig's facts, for this server, come to. */
async function ask(
  server: { url: string; certificate: string },
  facts: KubeconfigFacts,
): Promise<number> {
  await using home = await kubeHome();
  await home.writeKubeconfig(server, facts);
  return await listPods(home);
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

test("an unknown authority", async () => {
  await using server = await apiServer();
  const other = await selfSignedCertificate();
  const cluster = { "certificate-authority-data": base64(other.cert) };
  await expect(ask(server, { cluster, user: { token: "x" } })).rejects.toMatchObject({
    code: "CLUSTER_TLS",
    message: expect.stringContaining("an authority that the kubeconfig does not name") as string,
  });
});

test("an expired certificate of the server", async () => {
  await using server = await apiServer({
    notBefore: new Date(Date.now() - 2 * day),
    notAfter: new Date(Date.now() - day),
  });
  await expect(ask(server, { user: { token: "x" } })).rejects.toMatchObject({
    code: "CLUSTER_TLS",
    message: `the certificate of ${server.url} has expired`,
  });
});

test("a certificate for another name, and tls-server-name that puts it right", async () => {
  await using server = await apiServer({ hosts: ["api.internal"] });
  const user = { token: server.token };
  await expect(ask(server, { user })).rejects.toMatchObject({
    code: "CLUSTER_TLS",
    message: expect.stringContaining("is for another name") as string,
    hint: expect.stringContaining("tls-server-name") as string,
  });
  const cluster = {
    "certificate-authority-data": base64(server.certificate),
    "tls-server-name": "api.internal",
  };
  expect(await ask(server, { user, cluster })).toBe(200);
});

test.for([
  ["with a user", true],
  ["without one", false],
] as const)("insecure-skip-tls-verify holds %s", async ([, withUser]) => {
  await using server = await apiServer({ hosts: ["elsewhere"] });
  server.onRequest = (_, response) => {
    response.end("{}");
    return true;
  };
  const facts = {
    cluster: { "insecure-skip-tls-verify": true },
    ...(withUser ? { user: { token: "x" } } : {}),
  };
  expect(await ask(server, facts)).toBe(200);
});

test("the authority holds without a user", async () => {
  await using server = await apiServer();
  await expect(ask(server, {})).rejects.toMatchObject({
    code: "CLUSTER_UNAUTHORIZED",
    message: expect.stringContaining("requests without credentials") as string,
  });
});

test("the authority may be a file beside the kubeconfig", async () => {
  await using server = await apiServer();
  await using home = await kubeHome();
  await home.write("ca.crt", server.certificate);
  await home.writeKubeconfig(server, {
    cluster: { "certificate-authority": "ca.crt" },
    user: { token: server.token },
  });
  expect(await listPods(home)).toBe(200);
});

test("plain HTTP where TLS was expected", async () => {
  await using server = createHttpServer();
  const url = `https://127.0.0.1:${await listen(server)}`;
  await expect(
    ask({ url, certificate: "" }, { cluster: {}, user: { token: "x" } }),
  ).rejects.toMatchObject({
    code: "CLUSTER_TLS",
    message: expect.stringContaining("does not speak TLS") as string,
  });
});

test("an http server is asked without TLS", async () => {
  await using server = createHttpServer((request, response) =>
    response.end(JSON.stringify({ auth: request.headers.authorization })),
  );
  const url = `http://127.0.0.1:${await listen(server)}`;
  await using home = await kubeHome();
  await home.writeKubeconfig({ url, certificate: "" }, { cluster: {}, user: { token: "x" } });
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).json).toEqual({ auth: "Bearer x" });
});

test("nothing listens", async () => {
  const server = createServer();
  const port = await listen(server);
  await server[Symbol.asyncDispose]();
  await expect(
    ask({ url: `https://127.0.0.1:${port}`, certificate: "" }, { cluster: {} }),
  ).rejects.toMatchObject({
    code: "CLUSTER_UNREACHABLE",
    message: expect.stringContaining(`nothing accepts connections at 127.0.0.1:${port}`) as string,
  });
});

test("case 19: TLS that never completes is given up", async () => {
  await using server = createServer((socket) => socket.on("error", () => undefined).resume());
  const url = `https://127.0.0.1:${await listen(server)}`;
  await using home = await kubeHome();
  await home.writeKubeconfig({ url, certificate: "" }, { cluster: {} });
  using cluster = await home.open({}, { timeout: 20 });
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({ code: "CLUSTER_UNREACHABLE" });
});

test("a connection that is reset", async () => {
  await using server = createServer((socket) => socket.resetAndDestroy());
  const url = `https://127.0.0.1:${await listen(server)}`;
  await expect(ask({ url, certificate: "" }, { cluster: {} })).rejects.toMatchObject({
    code: "CLUSTER_UNREACHABLE",
    message: expect.stringContaining("broke (ECONNRESET)") as string,
  });
});

test("a client certificate is shown to the server", async () => {
  const { key, cert } = await selfSignedCertificate();
  const own = await selfSignedCertificate();
  await using server = createHttpsServer(
    { key, cert, requestCert: true, ca: own.cert },
    (request, response) => {
      const { authorized } = request.socket as object as { authorized: boolean };
      response.end(JSON.stringify({ trusted: authorized }));
    },
  );
  const url = `https://127.0.0.1:${await listen(server)}`;
  await using home = await kubeHome();
  const user = { "client-certificate-data": base64(own.cert), "client-key-data": base64(own.key) };
  await home.writeKubeconfig({ url, certificate: cert }, { user });
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).json).toEqual({ trusted: true });
});

test("a client certificate that ran out is what a 401 is put down to", async () => {
  await using server = await apiServer();
  const own = await selfSignedCertificate({
    notBefore: new Date("2020-01-01"),
    notAfter: new Date("2021-02-03T04:05:06Z"),
  });
  const user = { "client-certificate-data": base64(own.cert), "client-key-data": base64(own.key) };
  await expect(ask(server, { user })).rejects.toMatchObject({
    code: "CLUSTER_UNAUTHORIZED",
    message: expect.stringContaining("the client certificate expired on 2021-02-03") as string,
  });
});

test("a key that does not fit its certificate is the kubeconfig's fault", async () => {
  await using server = await apiServer();
  const [one, other] = [await selfSignedCertificate(), await selfSignedCertificate()];
  const user = {
    "client-certificate-data": base64(one.cert),
    "client-key-data": base64(other.key),
  };
  await expect(ask(server, { user })).rejects.toMatchObject({ code: "CREDENTIALS_FAILED" });
});
