import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { resolveEndpoints, type Files } from "../../../src/engine/endpoint.ts";
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
  ["ssh", "ENGINE_UNSUPPORTED", { host: "ssh://me@host" }, {}, {}],
  ["https", "ENGINE_UNSUPPORTED", { host: "https://127.0.0.1:2376" }, {}, {}],
  ["another machine", "ENGINE_UNSUPPORTED", { host: "tcp://10.0.0.1:2375" }, {}, {}],
  ["a name like loopback", "ENGINE_UNSUPPORTED", { host: "tcp://127.0.0.1.evil.io:1" }, {}, {}],
  [
    "TLS by DOCKER_TLS_VERIFY",
    "ENGINE_UNSUPPORTED",
    { host: "tcp://127.0.0.1:1" },
    { DOCKER_TLS_VERIFY: "1" },
    {},
  ],
  [
    "TLS by the context's files",
    "ENGINE_UNSUPPORTED",
    { dockerContext: "t" },
    {},
    {
      ...context("t", "tcp://127.0.0.1:2376"),
      [`${docker}/contexts/tls/${idOf("t")}/docker/ca.pem`]: "x",
    },
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
      "/run/user/1000/podman/podman.sock",
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

test("on Windows engines are named pipes", () => {
  expect(resolve({}, {}, {}, "win32").addresses[0]).toBe("npipe:////./pipe/docker_engine");
  const tree = {
    [`C:\\Users\\dev\\.docker\\contexts\\meta\\${idOf("w")}\\meta.json`]: {
      Endpoints: { docker: { Host: "npipe:////./pipe/dockerDesktopLinuxEngine" } },
    },
  };
  const { endpoints } = resolve({ dockerContext: "w" }, {}, tree, "win32");
  expect(endpoints[0]?.connection).toEqual({ socketPath: "//./pipe/dockerDesktopLinuxEngine" });
});
