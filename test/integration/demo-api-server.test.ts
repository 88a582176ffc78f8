import { once } from "node:events";
import { PassThrough } from "node:stream";
import { connect as connectTls } from "node:tls";
import { expect, test } from "vitest";
import { startApiServer } from "../../src/demo/api-server.ts";
import { runningPod } from "../../src/demo/pods.ts";
import { ask, nothingToDial, open, pods, refusal, registryPod } from "./demo-api-client.ts";

test("its kubeconfig names its address, its certificate and its token", async () => {
  await using server = await startApiServer({
    dial: nothingToDial,
    prefix: "/k8s/c-1",
    context: "here",
  });
  const config = JSON.parse(server.kubeconfig()) as {
    "current-context": string;
    clusters: { cluster: Record<string, string> }[];
    users: { user: { token: string } }[];
  };
  expect(config["current-context"]).toBe("here");
  const cluster = config.clusters[0]?.cluster;
  expect(cluster?.server).toBe(`https://127.0.0.1:${server.port}/k8s/c-1`);
  const authority = Buffer.from(cluster?.["certificate-authority-data"] ?? "", "base64").toString();
  expect(authority).toBe(server.certificate);
  expect(config.users[0]?.user.token).toBe(server.token);
});

test("pods are listed by namespace and label, as they are at the moment", async () => {
  await using server = await startApiServer({ dial: nothingToDial, pods: [registryPod()] });
  const names = async (query: string) => {
    const { json } = await ask(server, query);
    return (json["items"] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
  };
  expect(await names(`${pods}?labelSelector=k8s-app%3Dkube-registry`)).toEqual(["registry"]);
  expect(await names(`${pods}?labelSelector=k8s-app%3Dother`)).toEqual([]);
  expect(await names("/api/v1/namespaces/default/pods")).toEqual([]);
  server.pods.push(runningPod({ namespace: "kube-system", name: "new" }));
  expect(await names(pods)).toEqual(["registry", "new"]);
});

test("a pod is served by name; others, and other paths, are not found", async () => {
  await using server = await startApiServer({ dial: nothingToDial, pods: [registryPod()] });
  const found = await ask(server, `${pods}/registry`);
  expect([found.status, found.json["kind"]]).toEqual([200, "Pod"]);
  const missing = await ask(server, `${pods}/other`);
  expect(missing.json).toMatchObject({
    kind: "Status",
    code: 404,
    message: 'pods "other" not found',
  });
  expect((await ask(server, "/api/v1/nodes")).status).toBe(404);
  expect((await ask(server, `${pods}?labelSelector=%3D`)).status).toBe(400);
});

test("all but the health check wants the token of the moment", async () => {
  await using server = await startApiServer({ dial: nothingToDial });
  const old = server.token;
  server.token = "new";
  const refused = await ask(server, pods, { token: old });
  expect([refused.status, refused.json["reason"]]).toEqual([401, "Unauthorized"]);
  expect((await ask(server, pods)).status).toBe(200);
  expect((await ask(server, "/version")).json["gitVersion"]).toMatch(/^v1\./);
  expect((await ask(server, "/readyz", { token: "" })).text).toBe("ok");
});

test("a path prefix is part of every path", async () => {
  await using server = await startApiServer({ dial: nothingToDial, prefix: "/k8s" });
  expect((await ask(server, "/version")).status).toBe(200);
  expect(server.requests).toEqual(["GET /k8s/version"]);
  const elsewhere = await ask({ ...server, url: `https://127.0.0.1:${server.port}` }, "/version");
  expect(elsewhere.status).toBe(404);
});

test("what is not allowed is forbidden, and an access review says so", async () => {
  await using server = await startApiServer({
    dial: nothingToDial,
    pods: [registryPod()],
    allow: (verb, resource) => resource === "pods/portforward" && verb === "get",
  });
  const listed = await ask(server, pods);
  expect(listed.json).toMatchObject({ code: 403, reason: "Forbidden" });
  expect(listed.json["message"]).toContain('cannot list resource "pods"');

  const review = async (verb: string) => {
    const resourceAttributes = {
      verb,
      resource: "pods",
      subresource: "portforward",
      namespace: "n",
    };
    const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const answer = await ask(server, path, {
      method: "POST",
      body: { spec: { resourceAttributes } },
    });
    return answer.json["status"];
  };
  expect(await review("get")).toEqual({ allowed: true });
  expect(await review("create")).toEqual({ allowed: false });
});

test("an expired certificate can be ordered", async () => {
  const notAfter = new Date(Date.now() - 1000);
  await using server = await startApiServer({ dial: nothingToDial, certificate: { notAfter } });
  await expect(ask(server, "/readyz")).rejects.toMatchObject({ code: "CERT_HAS_EXPIRED" });
});

test("a hook can handle a request or an upgrade in the server's place", async () => {
  await using server = await startApiServer({ dial: nothingToDial, pods: [registryPod()] });
  server.onRequest = (_request, response) => {
    response.writeHead(503, { "content-type": "text/html" }).end("<html>");
    return true;
  };
  server.onUpgrade = (_request, socket) => {
    socket.end("HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n");
    return true;
  };
  expect(await ask(server, pods)).toMatchObject({ status: 503, text: "<html>" });
  expect((await refusal(server)).status).toBe(429);
});

test("disposing drops every connection", async () => {
  const server = await startApiServer({
    pods: [registryPod()],
    dial: () => Promise.resolve(new PassThrough()),
  });
  const client = open(server);
  await client.until(2);
  const silent = connectTls({ port: server.port, host: "127.0.0.1", ca: server.certificate });
  await once(silent, "secureConnect");
  silent.on("error", () => undefined);
  const dropped = once(silent, "close");
  await server[Symbol.asyncDispose]();
  expect(await client.closed).toBe(1006);
  await dropped;
});
