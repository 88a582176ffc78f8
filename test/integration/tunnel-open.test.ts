import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, get } from "node:https";
import type { RequestOptions } from "node:https";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { describe, expect, test } from "vitest";
import { KpushError } from "../../src/errors.ts";
import { fakePortForward, status } from "../fakes/port-forward.ts";
import { target, testTunnel } from "../fakes/tunnel-client.ts";

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

describe("the upgrade", () => {
  test("goes below the server's path, with names encoded, credentials, and one protocol", async () => {
    await using server = await fakePortForward({ prefix: "/k8s/clusters/c-1" });
    await using tunnel = testTunnel(server, {
      pin: () => Promise.resolve({ ...target, namespace: "a/b", name: "c?d" }),
    });
    await tunnel.connect();
    expect(server.paths).toEqual([
      "/k8s/clusters/c-1/api/v1/namespaces/a%2Fb/pods/c%3Fd/portforward?ports=5000",
    ]);
    expect(server.sessions[0]?.request.headers).toMatchObject({
      authorization: "Bearer first",
      "sec-websocket-protocol": "v4.channel.k8s.io",
    });
    expect(server.sessions[0]?.request.headers).not.toHaveProperty("sec-websocket-extensions");
  });

  test("takes the connection that an API request has left open", async () => {
    await using server = await fakePortForward();
    const options: RequestOptions = {};
    await server.config.applyToHTTPSOptions(options);
    const [answer] = (await once(get(server.url, options), "response")) as [IncomingMessage];
    await once(answer.resume(), "close");
    await using tunnel = testTunnel(server);
    await tunnel.connect();
    expect(server.connections).toBe(1);
  });

  test("works over plain HTTP, with masked frames", async () => {
    await using server = await fakePortForward({ tls: false });
    await using tunnel = testTunnel(server);
    const socket = await tunnel.connect();
    socket.write("hello");
    expect(String(await once(socket, "data"))).toBe("hello");
  });

  test("asks again at once when a kept-alive connection turns out closed", async () => {
    let first = true;
    await using server = await fakePortForward({
      refuse: (request) => {
        // What a server does whose idle limit strikes as the request arrives.
        if (first && request.socket.bytesRead > 0) {
          first = false;
          request.socket.destroy();
          return new Promise(() => undefined);
        }
        return undefined;
      },
    });
    const { config } = server;
    await using tunnel = testTunnel(
      {
        config: {
          ...config,
          async applyToHTTPSOptions(options) {
            await config.applyToHTTPSOptions(options);
            const agent = options.agent as Agent;
            // Marks the request as one on a kept-alive connection, as the agent does.
            options.agent = Object.assign(Object.create(agent) as Agent, {
              addRequest(request: { reusedSocket: boolean }, ...rest: unknown[]) {
                request.reusedSocket = true;
                (agent as unknown as { addRequest: (...args: unknown[]) => void }).addRequest(
                  request,
                  ...rest,
                );
              },
            });
          },
        },
      },
      { timings: { backoff: [60_000, 60_000] } },
    );
    await tunnel.connect();
    expect(server.paths).toHaveLength(2);
    expect(tunnel.takeError()).toBeUndefined();
  });
});

test("case 1: a closed port is told from the runtime's text", async () => {
  const text =
    "error forwarding port 5000 to pod 3f46, uid : dial tcp4 127.0.0.1:5000: connect: connection refused";
  await using server = await fakePortForward({
    serve: (session) => {
      session.open();
      session.fail(text);
    },
  });
  await using tunnel = testTunnel(server);
  const failure = {
    code: "REGISTRY_REFUSED",
    message: "nothing listens on port 5000 of pod kpush-system/registry-0",
  };
  const used = tunnel.connect().then((socket) => once(socket, "end"));
  await expect(used).rejects.toMatchObject(failure);
  expect(tunnel.takeError()).toMatchObject(failure);
  expect(tunnel.takeError()).toBeUndefined();
});

test.for(["get", "create"])(
  "case 2: a 403 for lack of %s is explained, once for all who wait",
  async (verb) => {
    const text = `pods "registry-0" is forbidden: User "dev" cannot ${verb} resource "pods/portforward"`;
    await using server = await fakePortForward({ refuse: () => status(403, text) });
    await using tunnel = testTunnel(server);
    const attempts = await Promise.allSettled([
      tunnel.connect(),
      tunnel.connect(),
      tunnel.connect(),
    ]);
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({
        reason: { code: "CLUSTER_FORBIDDEN", message: `explained: ${text}` },
      });
    }
    expect(tunnel.pins).toEqual([undefined]);
  },
);

test("case 3: a 403 with an empty body is not taken for a lack of rights", async () => {
  await using server = await fakePortForward({ refuse: () => ({ status: 403 }) });
  await using tunnel = testTunnel(server);
  await expect(tunnel.connect()).rejects.toMatchObject({
    code: "TUNNEL_FAILED",
    message: expect.stringContaining("v4.channel.k8s.io") as string,
  });
  expect(tunnel.forbidden).toEqual([]);
});

describe("case 4: a 401", () => {
  const unauthorized = (token: string) => ({
    refuse: ({ headers }: IncomingMessage) =>
      headers.authorization === `Bearer ${token}` ? undefined : status(401, "Unauthorized"),
  });

  test("has the credentials refreshed once, for ten sockets at once", async () => {
    await using server = await fakePortForward(unauthorized("second"));
    await using tunnel = testTunnel(server, {
      refreshCredentials: async () => {
        await new Promise(setImmediate);
        server.token = "second";
        return true;
      },
    });
    await Promise.all(Array.from({ length: 10 }, () => tunnel.connect()));
    expect(tunnel.refreshes).toBe(1);
  });

  test("a second time is final", async () => {
    await using server = await fakePortForward(unauthorized("never"));
    await using tunnel = testTunnel(server, { refreshCredentials: () => Promise.resolve(true) });
    await expect(tunnel.connect()).rejects.toMatchObject({ code: "CLUSTER_UNAUTHORIZED" });
    expect(tunnel.refreshes).toBe(1);
    expect(server.paths).toHaveLength(2);
  });

  test("is final where nothing can be refreshed", async () => {
    await using server = await fakePortForward(unauthorized("never"));
    await using tunnel = testTunnel(server);
    await expect(tunnel.connect()).rejects.toMatchObject({ code: "CLUSTER_UNAUTHORIZED" });
    expect(server.paths).toHaveLength(1);
  });

  test("after a time of service has them refreshed again", async () => {
    let valid = "first";
    await using server = await fakePortForward({
      refuse: ({ headers }) =>
        headers.authorization === `Bearer ${valid}` ? undefined : status(401, "Unauthorized"),
    });
    await using tunnel = testTunnel(server, {
      refreshCredentials: () => {
        server.token = valid;
        return Promise.resolve(true);
      },
    });
    for (valid of ["first", "second", "third"]) await tunnel.connect();
    expect(tunnel.refreshes).toBe(2);
  });
});

describe("case 5: a pod that is gone", () => {
  test("before the start is looked up again, and the socket goes to the next", async () => {
    await using server = await fakePortForward({
      refuse: ({ url }) =>
        url?.includes("registry-0") ? status(404, 'pods "registry-0" not found') : undefined,
    });
    await using tunnel = testTunnel(server, {
      pin: (gone) =>
        Promise.resolve(gone ? { ...target, name: "registry-1", uid: "uid-2" } : target),
    });
    await tunnel.connect();
    expect(server.sessions[0]?.pod).toBe("registry-1");
    expect(tunnel.pins).toEqual([undefined, expect.objectContaining({ code: "POD_GONE" })]);
  });

  test("and replaced under the same name is looked up before the next socket", async () => {
    const uids: string[] = [];
    await using server = await fakePortForward();
    await using tunnel = testTunnel(server, {
      pin: (gone) => {
        uids.push(gone?.target.uid ?? "none");
        return Promise.resolve({ ...target, uid: `uid-${uids.length}` });
      },
    });
    const socket = await tunnel.connect();
    server.sessions[0]?.fail('network namespace for sandbox "3f46" is closed');
    await once(socket, "error");
    await tunnel.connect();
    await tunnel.connect();
    expect(uids).toEqual(["none", "uid-1"]);
  });

  test("and has no replacement ends with what the look-up said", async () => {
    await using server = await fakePortForward({
      refuse: () => status(404, 'pods "registry-0" not found'),
    });
    await using tunnel = testTunnel(server, {
      pin: (gone) =>
        gone
          ? Promise.reject(new KpushError("REGISTRY_NOT_READY", "none"))
          : Promise.resolve(target),
    });
    await expect(tunnel.connect()).rejects.toMatchObject({ code: "REGISTRY_NOT_READY" });
  });
});

describe("case 13: port frames", () => {
  test("in pieces, out of order, and with data behind them are taken off the stream", async () => {
    await using server = await fakePortForward({
      serve: ({ say }) => {
        say(1, Buffer.of(5000 & 0xff));
        say(0, Buffer.of(5000 & 0xff));
        say(1, Buffer.of(5000 >>> 8));
        say(0, Buffer.concat([Buffer.of(5000 >>> 8), Buffer.from("first")]));
        say(0, " second");
      },
    });
    await using tunnel = testTunnel(server);
    const socket = await tunnel.connect();
    let text = "";
    for await (const chunk of socket) {
      text += String(chunk);
      if (text === "first second") break;
    }
    expect(text).toBe("first second");
  });

  test("of another port end the attempt", async () => {
    await using server = await fakePortForward({ serve: ({ say }) => say(0, Buffer.of(1, 2)) });
    await using tunnel = testTunnel(server);
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "TUNNEL_FAILED",
      message: "the cluster opened another port than 5000",
    });
  });

  test("that do not come end the attempt in time", async () => {
    await using server = await fakePortForward({ serve: () => undefined });
    await using tunnel = testTunnel(server, { timings: { portFrames: 20 } });
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "TUNNEL_FAILED",
      message: expect.stringContaining("opened no way to port 5000") as string,
    });
  });
});

describe("case 16: a close without a word is a failure", () => {
  test.for([false, true])("with port frames before it: %s", async (frames) => {
    await using server = await fakePortForward({
      serve: (session) => {
        if (frames) session.open();
        session.webSocket.close(1000);
      },
    });
    await using tunnel = testTunnel(server);
    const used = tunnel.connect().then((socket) => once(socket, "end"));
    await expect(used).rejects.toMatchObject({
      code: "TUNNEL_FAILED",
      message: expect.stringContaining("closed before a byte came through") as string,
    });
  });
});

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
