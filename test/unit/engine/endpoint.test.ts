import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { resolveEndpoints, type Files } from "../../../src/engine/endpoint.ts";
import { unsafeWay } from "../../../src/engine/remote/tcp-address.ts";
import type { EngineOptions } from "../../../src/engine/types.ts";

type Tree = Record<string, string | object>;

function filesOf(tree: Tree): Files {
  return {
    exists: (path) => path in tree,
    read: (path) => {
      const content = tree[path];
      return typeof content === "object" ? JSON.stringify(content) : content;
    },
  };
}

function resolve(
  options: EngineOptions,
  env: Record<string, string> = {},
  tree: Tree = {},
  platform: NodeJS.Platform = "linux",
) {
  const home = platform === "win32" ? "C:\\Users\\dev" : "/home/dev";
  const { endpoints, chosenBy } = resolveEndpoints(options, {
    env,
    home,
    platform,
    files: filesOf(tree),
  });
  return { chosenBy, addresses: endpoints.map(({ address }) => address), endpoints };
}

const docker = "/home/dev/.docker";
const idOf = (name: string) => createHash("sha256").update(name).digest("hex");
const context = (name: string, Host: string, directory = docker): Tree => ({
  [`${directory}/contexts/meta/${idOf(name)}/meta.json`]: {
    Name: name,
    Endpoints: { docker: { Host } },
  },
});
const current = (name: string): Tree => ({ [`${docker}/config.json`]: { currentContext: name } });
const colima = context("colima", "unix:///colima.sock");

test.for<[string, EngineOptions, Record<string, string>, Tree, string, string | RegExp]>([
  [
    "--host",
    { host: "unix:///a.sock" },
    { DOCKER_HOST: "unix:///b" },
    {},
    "unix:///a.sock",
    "--host",
  ],
  [
    "--docker-context before DOCKER_HOST",
    { dockerContext: "colima" },
    { DOCKER_HOST: "unix:///b" },
    colima,
    "unix:///colima.sock",
    "--docker-context",
  ],
  [
    "DOCKER_HOST before DOCKER_CONTEXT",
    {},
    { DOCKER_HOST: "unix:///b", DOCKER_CONTEXT: "colima" },
    colima,
    "unix:///b",
    "DOCKER_HOST",
  ],
  [
    "DOCKER_CONTEXT before the current context",
    {},
    { DOCKER_CONTEXT: "colima" },
    { ...colima, ...current("other"), ...context("other", "unix:///other") },
    "unix:///colima.sock",
    "DOCKER_CONTEXT",
  ],
  [
    "the current context",
    {},
    {},
    { ...colima, ...current("colima") },
    "unix:///colima.sock",
    /colima/,
  ],
  [
    "an empty DOCKER_HOST counts as none",
    {},
    { DOCKER_HOST: "" },
    { ...colima, ...current("colima") },
    "unix:///colima.sock",
    /colima/,
  ],
  [
    "contexts under DOCKER_CONFIG",
    { dockerContext: "x" },
    { DOCKER_CONFIG: "/conf" },
    context("x", "unix:///x", "/conf"),
    "unix:///x",
    "--docker-context",
  ],
  [
    "--docker-context default is docker's own socket",
    { dockerContext: "default" },
    {},
    {},
    "unix:///var/run/docker.sock",
    "--docker-context",
  ],
  ["unix:// alone", { host: "unix://" }, {}, {}, "unix:///var/run/docker.sock", "--host"],
  ["tcp on loopback", { host: "tcp://127.0.0.1:2375" }, {}, {}, "tcp://127.0.0.1:2375", "--host"],
  ["tcp without a port", { host: "tcp://localhost" }, {}, {}, "tcp://localhost:2375", "--host"],
  ["tcp without a host", { host: "tcp://:1234" }, {}, {}, "tcp://localhost:1234", "--host"],
  ["tcp alone", { host: "tcp://" }, {}, {}, "tcp://localhost:2375", "--host"],
  ["port 80 stays", { host: "tcp://[::1]:80/" }, {}, {}, "tcp://[::1]:80", "--host"],
  ["no scheme", { host: "127.0.0.1:9" }, {}, {}, "tcp://127.0.0.1:9", "--host"],
  ["a path prefix", { host: "http://127.0.0.1:9/p/" }, {}, {}, "tcp://127.0.0.1:9/p", "--host"],
])("resolves as docker does: %s", ([, options, env, tree, address, chosenBy]) => {
  const choice = resolve(options, env, tree);
  expect(choice.addresses).toEqual([address]);
  expect(choice.chosenBy).toMatch(chosenBy);
});

test.for<[string, string, EngineOptions, Record<string, string>, Tree]>([
  ["both options", "USAGE", { host: "unix:///a", dockerContext: "b" }, {}, {}],
  ["nonsense", "USAGE", { host: "/var/run/docker.sock" }, {}, {}],
  ["fd://", "USAGE", { host: "fd://" }, {}, {}],
  ["a broken address", "USAGE", { host: "tcp://127.0.0.1:99999" }, {}, {}],
  ["a login in a tcp address", "USAGE", { host: "tcp://me:secret@127.0.0.1" }, {}, {}],
  [
    "DOCKER_TLS_VERIFY without ca.pem",
    "ENGINE_UNSUPPORTED",
    { host: "tcp://10.0.0.1:2376" },
    { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/certs" },
    { "/certs/cert.pem": "cert", "/certs/key.pem": "key" },
  ],
  [
    "a certificate without its key",
    "ENGINE_UNSUPPORTED",
    { host: "tcp://10.0.0.1:2376" },
    { DOCKER_TLS: "1", DOCKER_CERT_PATH: "/certs" },
    { "/certs/cert.pem": "cert" },
  ],
  ["an unknown context", "ENGINE_NOT_FOUND", { dockerContext: "nope" }, {}, {}],
  ["an unknown current context", "ENGINE_NOT_FOUND", {}, {}, current("gone")],
  [
    "a context without an engine",
    "ENGINE_NOT_FOUND",
    { dockerContext: "k" },
    {},
    { [`${docker}/contexts/meta/${idOf("k")}/meta.json`]: { Endpoints: { kubernetes: {} } } },
  ],
])("refuses %s with %s", ([, code, options, env, tree]) => {
  expect(() => resolve(options, env, tree)).toThrow(expect.objectContaining({ code }));
});

const certs = { "/certs/ca.pem": "ca", "/certs/cert.pem": "cert", "/certs/key.pem": "key" };
const inContext = (name: string, file: string) =>
  `${docker}/contexts/tls/${idOf(name)}/docker/${file}`;

test.for<[string, EngineOptions, Record<string, string>, Tree, object | undefined]>([
  [
    "DOCKER_TLS_VERIFY and DOCKER_CERT_PATH",
    { host: "tcp://10.0.0.1:2376" },
    { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/certs" },
    certs,
    { ca: "ca", cert: "cert", key: "key", verify: true },
  ],
  [
    "files in docker's own directory",
    { host: "tcp://10.0.0.1:2376" },
    { DOCKER_TLS_VERIFY: "1" },
    { [`${docker}/ca.pem`]: "own" },
    { ca: "own", cert: undefined, key: undefined, verify: true },
  ],
  [
    "DOCKER_TLS, which verifies nothing",
    { host: "tcp://10.0.0.1:2376" },
    { DOCKER_TLS: "1", DOCKER_CERT_PATH: "/certs" },
    {},
    { ca: undefined, cert: undefined, key: undefined, verify: false },
  ],
  [
    "the files of a context",
    { dockerContext: "t" },
    { DOCKER_TLS: "1", DOCKER_CERT_PATH: "/certs" },
    { ...context("t", "tcp://10.0.0.1:2376"), ...certs, [inContext("t", "ca.pem")]: "of t" },
    { ca: "of t", cert: undefined, key: undefined, verify: true },
  ],
  [
    "a context that skips the verification",
    { dockerContext: "s" },
    {},
    {
      [`${docker}/contexts/meta/${idOf("s")}/meta.json`]: {
        Endpoints: { docker: { Host: "tcp://10.0.0.1:2376", SkipTLSVerify: true } },
      },
    },
    { ca: undefined, cert: undefined, key: undefined, verify: false },
  ],
  [
    "https, with the machine's authorities",
    { host: "https://engine.example" },
    {},
    {},
    { ca: undefined, cert: undefined, key: undefined, verify: true },
  ],
  ["no TLS unless asked", { host: "tcp://10.0.0.1:2375" }, {}, certs, undefined],
])("takes for TLS: %s", ([, options, env, tree, tls]) => {
  const [endpoint] = resolve(options, env, tree).endpoints;
  expect((endpoint?.connection as { tls?: object }).tls).toEqual(tls);
});

test("a file of TLS that is named takes the place of the usual one, and must be there", () => {
  const env = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/certs" };
  const files = filesOf({ ...certs, "my.pem": "mine" });
  const take = (engineTls: object) => {
    const place = { env, home: "/home/dev", platform: "linux", files } as const;
    const host = "tcp://10.0.0.1:2376";
    const [endpoint] = resolveEndpoints({ host }, { ...place, engineTls }).endpoints;
    return (endpoint?.connection as { tls?: object }).tls;
  };
  expect(take({ ca: "my.pem" })).toEqual({ ca: "mine", cert: "cert", key: "key", verify: true });
  expect(() => take({ key: "/none.pem" })).toThrow("/none.pem is missing");
});

test("TLS files are not asked for where the engine is a socket", () => {
  const env = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/nowhere" };
  expect(resolve({ host: "unix:///a.sock" }, env).addresses).toEqual(["unix:///a.sock"]);
});

test.for([
  ["tcp://10.0.0.1:2375", {}, "no TLS"],
  ["tcp://127.0.0.1.evil.io:1", {}, "no TLS"],
  ["tcp://10.0.0.1:2376", { DOCKER_TLS: "1" }, "not verified"],
  ["https://10.0.0.1:2376", {}, undefined],
  ["tcp://127.0.0.1:2375", {}, undefined],
  ["tcp://[::1]:2375", {}, undefined],
  ["tcp://localhost", {}, undefined],
  ["unix:///a.sock", {}, undefined],
  ["ssh://build", {}, undefined],
] as [string, Record<string, string>, string | undefined][])(
  "the way to %s with %j is warned of: %s",
  ([host, env, words]) => {
    const [endpoint] = resolve({ host }, env).endpoints;
    const warning = endpoint && unsafeWay(endpoint);
    if (words === undefined) expect(warning).toBeUndefined();
    else expect(warning).toContain(words);
  },
);

test("control characters of a context's name do not reach the terminal", () => {
  expect(() => resolve({ dockerContext: "a\u001b[31mb" })).toThrow(/"a\[31mb"/);
});

test.for([
  ["no config.json", {}],
  ["a broken config.json", { [`${docker}/config.json`]: "{" }],
  ["an empty current context", current("")],
  ["the default context", current("default")],
] as [string, Tree][])("tries the usual sockets in their order with %s", ([, tree]) => {
  const choice = resolve({}, { XDG_RUNTIME_DIR: "/run/user/1000" }, tree);
  expect(choice.chosenBy).toBeUndefined();
  expect(choice.addresses).toEqual(
    [
      "/var/run/docker.sock",
      "/run/user/1000/docker.sock",
      "/home/dev/.docker/run/docker.sock",
      "/home/dev/.docker/desktop/docker.sock",
      "/home/dev/.colima/default/docker.sock",
      "/home/dev/.config/colima/default/docker.sock",
      "/home/dev/.rd/docker.sock",
      "/home/dev/.orbstack/run/docker.sock",
      "/home/dev/.lima/docker/sock/docker.sock",
      "/run/user/1000/podman/podman.sock",
      "/run/user/1000/podman/podman-machine-default-api.sock",
      "/home/dev/.local/share/containers/podman/machine/podman.sock",
      "/run/podman/podman.sock",
    ].map((path) => `unix://${path}`),
  );
});

test("without a home directory only the absolute sockets are tried", () => {
  const facts = { env: {}, home: "", platform: "linux", files: filesOf({}) } as const;
  const { endpoints } = resolveEndpoints({}, facts);
  expect(endpoints.map(({ address }) => address)).toEqual([
    "unix:///var/run/docker.sock",
    "unix:///run/podman/podman.sock",
  ]);
});

test.for<[NodeJS.Platform, string]>([
  ["linux", "npipe:////./pipe/docker_engine"],
  ["darwin", "npipe://"],
  ["win32", "unix:///var/run/docker.sock"],
])("on %s, %s is another system's, as WSL hands on a DOCKER_HOST", ([platform, host]) => {
  expect(() => resolve({}, { DOCKER_HOST: host }, {}, platform)).toThrow(
    expect.objectContaining({ code: "ENGINE_UNSUPPORTED" }),
  );
});

test.for([
  "npipe:////./pipe/docker_engine",
  String.raw`npipe://\\.\pipe\docker_engine`,
  "npipe://",
])("on Windows %s is docker's pipe", (host) => {
  expect(resolve({ host }, {}, {}, "win32").addresses).toEqual(["npipe:////./pipe/docker_engine"]);
});

test("on Windows engines are named pipes", () => {
  const tree = {
    [`C:\\Users\\dev\\.docker\\contexts\\meta\\${idOf("w")}\\meta.json`]: {
      Endpoints: { docker: { Host: "npipe:////./pipe/dockerDesktopLinuxEngine" } },
    },
  };
  const { endpoints } = resolve({ dockerContext: "w" }, {}, tree, "win32");
  expect(endpoints[0]?.connection).toEqual({ socketPath: "//./pipe/dockerDesktopLinuxEngine" });
});
