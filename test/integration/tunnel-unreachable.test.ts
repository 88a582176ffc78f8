import { once } from "node:events";
import { Agent } from "node:https";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { describe, expect, test } from "vitest";
import { KpushError } from "../../src/errors.ts";
import { fakePortForward } from "../fakes/port-forward.ts";
import { testTunnel } from "../fakes/tunnel-client.ts";

/** A TCP server that does with each connection what it is told, and nothing else. */
async function rawServer(serve: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** A configuration for an address, made by client-node itself. */
function kubeConfig(server: string, proxyUrl?: string) {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: "c", server, skipTLSVerify: true, ...(proxyUrl ? { proxyUrl } : {}) }],
    users: [{ name: "u", token: "t" }],
    contexts: [{ name: "x", cluster: "c", user: "u" }],
    currentContext: "x",
  });
  return config;
}

describe("case 19: an API server that cannot be reached is told apart", () => {
  test("when it never answers the handshake", async () => {
    await using server = await fakePortForward({ refuse: () => new Promise(() => undefined) });
    await using tunnel = testTunnel(server, { timings: { handshake: 200 } });
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "CLUSTER_UNREACHABLE",
      message: `${server.url} did not answer the request for a tunnel within 0.2 s`,
    });
  });

  test("when TLS never completes", async () => {
    await using server = await rawServer(() => undefined);
    const url = `https://127.0.0.1:${server.port}`;
    await using tunnel = testTunnel({ config: kubeConfig(url) }, { timings: { handshake: 50 } });
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "CLUSTER_UNREACHABLE",
      message: `${url} did not finish the TLS handshake within 0.05 s`,
    });
  });

  test("when its name does not resolve, without a second attempt", async () => {
    let lookups = 0;
    const config = kubeConfig("https://api.invalid");
    const agent = new Agent({
      lookup: (hostname, _options, done) => {
        lookups += 1;
        done(
          Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" }),
          "",
        );
      },
    });
    await using tunnel = testTunnel({
      config: {
        getCurrentCluster: () => config.getCurrentCluster(),
        applyToHTTPSOptions: (options) => Promise.resolve(void Object.assign(options, { agent })),
      },
    });
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "CLUSTER_UNREACHABLE",
      message: expect.stringContaining("api.invalid") as string,
    });
    expect(lookups).toBe(1);
  });

  test("when a proxy wants a login", async () => {
    await using proxy = await rawServer((socket) => {
      socket.once("data", () =>
        socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
      );
    });
    const config = kubeConfig("https://api.invalid", `http://127.0.0.1:${proxy.port}`);
    await using tunnel = testTunnel({ config });
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "CLUSTER_UNREACHABLE",
      message: expect.stringMatching(/proxy|407/) as string,
    });
  });

  test("when nothing listens: after some attempts, with the first error", async () => {
    await using closed = await rawServer(() => undefined);
    const url = `https://127.0.0.1:${closed.port}`;
    await closed[Symbol.asyncDispose]();
    await using tunnel = testTunnel({ config: kubeConfig(url) });
    await expect(tunnel.connect()).rejects.toMatchObject({ code: "CLUSTER_UNREACHABLE" });
    const failures = tunnel.events.filter(({ type }) => type === "debug");
    expect(failures).toHaveLength(5);
  });

  test("when its certificate is not to be trusted, without a second attempt", async () => {
    await using server = await fakePortForward();
    const agent = new Agent();
    await using tunnel = testTunnel({
      config: {
        ...server.config,
        applyToHTTPSOptions: (o) => Promise.resolve(void Object.assign(o, { agent })),
      },
    });
    await expect(tunnel.connect()).rejects.toMatchObject({ code: "CLUSTER_TLS" });
    expect(server.connections).toBe(1);
  });

  test("when credentials cannot be had", async () => {
    await using server = await fakePortForward();
    const error = new KpushError("CREDENTIALS_FAILED", "the plugin failed");
    await using tunnel = testTunnel({
      config: { ...server.config, applyToHTTPSOptions: () => Promise.reject(error) },
    });
    await expect(tunnel.connect()).rejects.toBe(error);
    expect(server.connections).toBe(0);
  });

  test.for([
    [
      200,
      "<html>Welcome</html>",
      "answered 200 in place of opening a tunnel: <html>Welcome</html>",
    ],
    [404, "<html>No such page</html>", "answered 404 in place of opening a tunnel"],
    [
      400,
      JSON.stringify({ kind: "Status", message: "no ports" }),
      "refuses to open a tunnel (400): no ports",
    ],
  ] as const)("when something answers %i: %s", async ([code, body, message]) => {
    await using server = await fakePortForward({ refuse: () => ({ status: code, body }) });
    await using tunnel = testTunnel(server);
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "TUNNEL_FAILED",
      message: expect.stringContaining(message) as string,
    });
    expect(server.paths).toHaveLength(1);
  });

  test("a gateway's 503 is asked again", async () => {
    let refusals = 2;
    await using server = await fakePortForward({
      refuse: () => (refusals-- > 0 ? { status: 503, body: "no healthy upstream" } : undefined),
    });
    await using tunnel = testTunnel(server);
    await tunnel.connect();
    expect(server.paths).toHaveLength(3);
  });
});
