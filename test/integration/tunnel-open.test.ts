import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, get } from "node:https";
import type { RequestOptions } from "node:https";
import { describe, expect, test } from "vitest";
import { KpushError } from "../../src/errors.ts";
import { fakePortForward, status } from "../fakes/port-forward.ts";
import { target, testTunnel } from "../fakes/tunnel-client.ts";

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
