import { once } from "node:events";
import { readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import { selfSignedCertificate } from "../../src/demo/certificate.ts";
import { kubeHome, type KubeHome } from "../fakes/kube-home.ts";

const pods = "/api/v1/namespaces/kube-system/pods";
const hour = 3600;
const now = () => Math.floor(Date.now() / 1000);
const apiServer = () =>
  startApiServer({ dial: () => Promise.reject(new Error("nothing to dial")) });

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const idToken = (claims: object) =>
  `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}.c2lnbmF0dXJl`;
const expired = idToken({ exp: now() - hour });

interface Issuer extends AsyncDisposable {
  readonly url: string;
  /** The token that it gives. */
  readonly token: string;
  /** Body and Authorization header of each token request. */
  readonly asked: { form: URLSearchParams; authorization: string | undefined }[];
}

/** An OpenID provider that knows discovery and the refresh grant. */
async function issuer({
  tls,
  methods,
  answer,
}: {
  tls?: { key: string; cert: string };
  methods?: string[];
  answer?: object;
} = {}): Promise<Issuer> {
  const asked: Issuer["asked"] = [];
  const server: HttpServer = tls ? createHttpsServer(tls) : createServer();
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `${tls ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const token = idToken({ iss: url, aud: "kpush", sub: "me", iat: now(), exp: now() + hour });
  server.on("request", (request, response) => {
    response.setHeader("content-type", "application/json");
    if (request.url === "/.well-known/openid-configuration") {
      response.end(
        JSON.stringify({
          issuer: url,
          token_endpoint: `${url}/token`,
          ...(methods ? { token_endpoint_auth_methods_supported: methods } : {}),
        }),
      );
      return;
    }
    void text(request).then((body) => {
      asked.push({ form: new URLSearchParams(body), authorization: request.headers.authorization });
      if (answer) response.statusCode = 400;
      response.end(
        JSON.stringify(
          answer ?? {
            access_token: "a",
            token_type: "Bearer",
            id_token: token,
            refresh_token: "refresh-2",
          },
        ),
      );
    });
  });
  return {
    url,
    token,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** A kubeconfig as a person may keep it, with a comment in it. */
async function oidcHome(server: ApiServer, config: Record<string, string>): Promise<KubeHome> {
  const home = await kubeHome();
  const authority = Buffer.from(server.certificate).toString("base64");
  const lines = Object.entries(config).map(
    ([key, value]) => `          ${key}: ${JSON.stringify(value)}`,
  );
  const source = `# my clusters
apiVersion: v1
kind: Config
current-context: test
contexts:
  - name: test
    context: { cluster: test, user: me }
clusters:
  - name: test
    cluster: { server: "${server.url}", certificate-authority-data: ${authority} }
users:
  - name: other
    user: { token: "1e5" } # stays
  - name: me
    user:
      auth-provider:
        name: oidc
        config:
${lines.join("\n")}
`;
  await writeFile(home.kubeconfig, source, { mode: 0o640 });
  return home;
}

test("a token that has not run out is used, and nobody is asked", async () => {
  await using server = await apiServer();
  server.token = idToken({ exp: now() + hour });
  await using home = await oidcHome(server, {
    "id-token": server.token,
    "idp-issuer-url": "http://127.0.0.1:1",
  });
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).status).toBe(200);
});

test("one that ran out is refreshed once, and written back", async () => {
  await using server = await apiServer();
  await using idp = await issuer();
  server.token = idp.token;
  await using home = await oidcHome(server, {
    "idp-issuer-url": idp.url,
    "client-id": "kpush",
    "client-secret": "s3cret",
    "id-token": expired,
    "refresh-token": "refresh-1",
  });
  const before = await readFile(home.kubeconfig, "utf8");
  using cluster = await home.open();
  const answers = await Promise.all([1, 2, 3].map(() => cluster.request("GET", pods)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(idp.asked).toHaveLength(1);
  expect(Object.fromEntries(idp.asked[0]?.form ?? [])).toEqual({
    grant_type: "refresh_token",
    refresh_token: "refresh-1",
  });
  expect(idp.asked[0]?.authorization).toBe(
    `Basic ${Buffer.from("kpush:s3cret").toString("base64")}`,
  );

  const after = await readFile(home.kubeconfig, "utf8");
  expect(after).toContain("# my clusters");
  expect(after).toContain('user: { token: "1e5" } # stays');
  const expected = before
    .replace(JSON.stringify(expired), idp.token)
    .replace('"refresh-1"', "refresh-2");
  expect(after.replaceAll('"', "")).toBe(expected.replaceAll('"', ""));
  expect((await stat(home.kubeconfig)).mode & 0o777).toBe(0o640);
  expect(await readdir(home.directory)).toEqual(["config"]); // no lock, no temporary file
});

test("an issuer that takes the secret in the form gets it there", async () => {
  await using server = await apiServer();
  await using idp = await issuer({ methods: ["client_secret_post"] });
  server.token = idp.token;
  await using home = await oidcHome(server, {
    "idp-issuer-url": idp.url,
    "client-id": "kpush",
    "client-secret": "s3cret",
    "id-token": expired,
    "refresh-token": "r",
  });
  using cluster = await home.open();
  await cluster.request("GET", pods);
  expect(Object.fromEntries(idp.asked[0]?.form ?? [])).toMatchObject({
    client_id: "kpush",
    client_secret: "s3cret",
  });
});

test("the issuer's own authority is trusted, from data or a file", async () => {
  await using server = await apiServer();
  const tls = await selfSignedCertificate();
  await using idp = await issuer({ tls });
  server.token = idp.token;
  const config = {
    "idp-issuer-url": idp.url,
    "client-id": "kpush",
    "id-token": expired,
    "refresh-token": "r",
  };
  await using data = await oidcHome(server, {
    ...config,
    "idp-certificate-authority-data": Buffer.from(tls.cert).toString("base64"),
  });
  using first = await data.open();
  expect((await first.request("GET", pods)).status).toBe(200);

  await using file = await oidcHome(server, { ...config, "idp-certificate-authority": "idp.crt" });
  await file.write("idp.crt", tls.cert);
  using second = await file.open();
  expect((await second.request("GET", pods)).status).toBe(200);

  await using none = await oidcHome(server, config);
  using third = await none.open();
  await expect(third.request("GET", pods)).rejects.toMatchObject({ code: "CREDENTIALS_FAILED" });
});

test("a token that the server refuses is refreshed though it has not run out", async () => {
  await using server = await apiServer();
  await using idp = await issuer();
  server.token = idp.token;
  const config = {
    "idp-issuer-url": idp.url,
    "client-id": "kpush",
    "id-token": idToken({ exp: now() + hour }),
    "refresh-token": "r",
  };
  await using home = await oidcHome(server, config);
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).status).toBe(200);
});

test("what the issuer says of a failure is shown", async () => {
  await using server = await apiServer();
  await using idp = await issuer({
    answer: { error: "invalid_grant", error_description: "session is over" },
  });
  await using home = await oidcHome(server, {
    "idp-issuer-url": idp.url,
    "client-id": "kpush",
    "id-token": expired,
    "refresh-token": "r",
  });
  using cluster = await home.open();
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CREDENTIALS_FAILED",
    message: expect.stringContaining("gave no new token: session is over") as string,
  });
});

test("one that ran out and cannot be refreshed says so", async () => {
  await using server = await apiServer();
  await using home = await oidcHome(server, { "id-token": expired });
  using cluster = await home.open();
  await expect(cluster.request("GET", pods)).rejects.toThrow("there is no refresh-token");
});

test("a kubeconfig that another program has locked is left alone, with a warning", async () => {
  await using server = await apiServer();
  await using idp = await issuer();
  server.token = idp.token;
  await using home = await oidcHome(server, {
    "idp-issuer-url": idp.url,
    "client-id": "kpush",
    "id-token": expired,
    "refresh-token": "r",
  });
  await home.write("config.lock", "");
  const before = await readFile(home.kubeconfig, "utf8");
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).status).toBe(200);
  expect(home.events.filter(({ type }) => type === "warning")).toHaveLength(1);
  expect(await readFile(home.kubeconfig, "utf8")).toBe(before);
  expect(await readdir(home.directory)).toEqual(["config", "config.lock"]);
});

test("a kubeconfig that is a link stays one", async () => {
  await using server = await apiServer();
  await using idp = await issuer();
  server.token = idp.token;
  await using home = await oidcHome(server, {
    "idp-issuer-url": idp.url,
    "client-id": "kpush",
    "id-token": expired,
    "refresh-token": "r",
  });
  const link = join(home.directory, "link");
  await symlink("config", link);
  home.surroundings = { ...home.surroundings, env: { KUBECONFIG: link } };
  using cluster = await home.open();
  await cluster.request("GET", pods);
  expect(await readFile(home.kubeconfig, "utf8")).toContain("refresh-2");
  expect(
    (await readdir(home.directory, { withFileTypes: true }))
      .find(({ name }) => name === "link")
      ?.isSymbolicLink(),
  ).toBe(true);
});
