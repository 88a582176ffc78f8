import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startApiServer, type ApiServer } from "../../src/demo/api-server.ts";
import { kubeHome, type KubeHome } from "../fakes/kube-home.ts";

const pods = "/api/v1/namespaces/kube-system/pods";
const plugin = fileURLToPath(new URL("../fakes/exec-plugin.mjs", import.meta.url));
const v1 = "client.authentication.k8s.io/v1";

const apiServer = () =>
  startApiServer({ dial: () => Promise.reject(new Error("nothing to dial")) });

/** A home whose user logs in by the plugin, which gives the status that lies in `status.json`. */
async function pluginHome(
  server: ApiServer,
  {
    mode = "",
    status = {},
    exec = {},
    cluster,
  }: { mode?: string; status?: object; exec?: object; cluster?: object } = {},
): Promise<KubeHome> {
  const home = await kubeHome();
  await home.write("status.json", JSON.stringify({ token: server.token, ...status }));
  const env = [
    { name: "PLUGIN_LOG", value: join(home.directory, "runs") },
    { name: "PLUGIN_STATUS", value: join(home.directory, "status.json") },
    { name: "PLUGIN_MODE", value: mode },
    { name: "PLUGIN_OWN", value: "from the kubeconfig" },
  ];
  const user = {
    exec: {
      apiVersion: v1,
      command: process.execPath,
      args: [plugin, "token", "--name", "a b"],
      env,
      interactiveMode: "IfAvailable",
      ...exec,
    },
  };
  await home.writeKubeconfig(server, { user, ...(cluster ? { cluster } : {}) });
  return home;
}

interface Run {
  pid: number;
  args: string[];
  own: string;
  info: { apiVersion: string; spec: { interactive: boolean; cluster?: Record<string, unknown> } };
}

async function runs(home: KubeHome): Promise<Run[]> {
  const text = await readFile(join(home.directory, "runs"), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Run);
}

test("case 4: the plugin runs once for ten requests at once", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server);
  using cluster = await home.open();
  const answers = await Promise.all(Array.from({ length: 10 }, () => cluster.request("GET", pods)));
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  await cluster.config.applyToHTTPSOptions({});
  expect(await runs(home)).toHaveLength(1);
});

test("case 4: ten refusals at once make it run once more", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server);
  using cluster = await home.open();
  await cluster.request("GET", pods);
  server.token = "another";
  await home.write("status.json", JSON.stringify({ token: "another" }));
  const answers = await Promise.all(Array.from({ length: 10 }, () => cluster.request("GET", pods)));
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  expect(await cluster.refreshCredentials()).toBe(true); // a socket whose 401 comes late
  expect(await runs(home)).toHaveLength(2);
});

test("case 4: a token that is refused again is a clear failure", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server, { status: { token: "wrong" } });
  using cluster = await home.open();
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CLUSTER_UNAUTHORIZED",
  });
  expect(await runs(home)).toHaveLength(2);
});

test("a refusal of what is only good to know is an answer, and makes it run no second time", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server, { status: { token: "wrong" } });
  using cluster = await home.open();
  expect(await cluster.request("GET", pods, { optional: true })).toMatchObject({ status: 401 });
  expect(await runs(home)).toHaveLength(1);
});

test("arguments, its own environment and the version reach it; the cluster does not unasked", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server);
  using cluster = await home.open();
  await cluster.request("GET", pods);
  const [run] = await runs(home);
  expect(run).toMatchObject({ args: ["token", "--name", "a b"], own: "from the kubeconfig" });
  expect(run?.info).toEqual({
    kind: "ExecCredential",
    apiVersion: v1,
    spec: { interactive: false },
  });
});

test("it is told of the cluster where it asks for it", async () => {
  await using server = await apiServer();
  const extensions = [{ name: "client.authentication.k8s.io/exec", extension: { audience: "x" } }];
  const authority = Buffer.from(server.certificate).toString("base64");
  await using home = await pluginHome(server, {
    exec: { provideClusterInfo: true },
    cluster: { "certificate-authority-data": authority, extensions },
  });
  using cluster = await home.open();
  await cluster.request("GET", pods);
  const [run] = await runs(home);
  expect(run?.info.spec.cluster).toEqual({
    server: server.url,
    "certificate-authority-data": authority,
    config: { audience: "x" },
  });
});

test("what it says on stderr is shown as it comes, without control sequences", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server);
  using cluster = await home.open();
  await cluster.request("GET", pods);
  expect(home.stderr.join("")).toBe("logging in\n");
});

test("a failure names its status and its last words", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server, { mode: "fail" });
  using cluster = await home.open();
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CREDENTIALS_FAILED",
    message: expect.stringMatching(/ended with status 3: run login first$/) as string,
  });
  expect(home.stderr.join("")).toBe("no session\nrun login first\n");
});

test("a command that is not there comes with its install hint", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server, {
    exec: { command: "no-such-login", installHint: "get it from\nhttps://login.example" },
  });
  using cluster = await home.open();
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CREDENTIALS_FAILED",
    message: "the credential plugin no-such-login is not installed, or not in PATH",
    hint: "get it from https://login.example",
  });
});

test("a relative command is run from the kubeconfig's directory", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server, { exec: { command: "./login", args: [] } });
  await home.write("login", `#!/bin/sh\nexec "${process.execPath}" "${plugin}"\n`, 0o700);
  home.surroundings = { ...home.surroundings, cwd: "/" };
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).status).toBe(200);
});

test.for(["client.authentication.k8s.io/v1alpha1", ""])(
  "the version %o is refused before it runs",
  async (apiVersion) => {
    await using server = await apiServer();
    await using home = await pluginHome(server, { exec: { apiVersion } });
    using cluster = await home.open();
    await expect(cluster.request("GET", pods)).rejects.toMatchObject({
      code: "CREDENTIALS_FAILED",
    });
    expect(await runs(home)).toEqual([]);
  },
);

test("one that must ask is not run without a terminal", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server, { exec: { interactiveMode: "Always" } });
  using cluster = await home.open();
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CREDENTIALS_FAILED",
    message: expect.stringContaining("there is no terminal") as string,
  });
  expect(await runs(home)).toEqual([]);
});

test.for([
  ["IfAvailable", true],
  ["Always", true],
  ["Never", false],
] as const)("with a terminal, %s means interactive: %o", async ([interactiveMode, interactive]) => {
  await using server = await apiServer();
  await using home = await pluginHome(server, { exec: { interactiveMode } });
  home.surroundings = { ...home.surroundings, pluginStdin: "inherit" };
  using cluster = await home.open();
  await cluster.request("GET", pods);
  expect((await runs(home))[0]?.info.spec.interactive).toBe(interactive);
});

test("two that may ask something take turns at the terminal", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server, { mode: "hang" });
  await using third = await pluginHome(server);
  home.surroundings = { ...home.surroundings, pluginStdin: "inherit" };
  const abort = new AbortController();
  using first = await home.open({}, {}, abort.signal);
  const asking = first.request("GET", pods);
  asking.catch(() => undefined); // awaited below
  await expect.poll(() => runs(home)).toHaveLength(1);
  using second = await home.open({}, {}, abort.signal);
  const waiting = second.request("GET", pods);
  waiting.catch(() => undefined);
  using other = await third.open(); // whose plugin takes as long as that of the second would
  await other.request("GET", pods);
  expect(await runs(home)).toHaveLength(1);
  abort.abort(new Error("interrupted"));
  await expect(asking).rejects.toThrow("interrupted");
  await expect(waiting).rejects.toThrow("interrupted");
});

test("without a terminal it reads nothing from stdin", async () => {
  await using server = await apiServer();
  server.token = "read:";
  await using home = await pluginHome(server, { mode: "stdin" });
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).status).toBe(200);
});

test("an endless answer is refused", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server, { mode: "chatter" });
  using cluster = await home.open();
  await expect(cluster.request("GET", pods)).rejects.toMatchObject({
    code: "CREDENTIALS_FAILED",
    message: expect.stringContaining("more than a credential can be") as string,
  });
});

test("an abort ends it", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server, { mode: "hang" });
  const abort = new AbortController();
  using cluster = await home.open({}, {}, abort.signal);
  const request = cluster.request("GET", pods);
  await expect.poll(() => runs(home)).toHaveLength(1);
  const [run] = await runs(home);
  abort.abort(new Error("interrupted"));
  await expect(request).rejects.toThrow("interrupted");
  await expect.poll(() => isAlive(run?.pid ?? 0)).toBe(false);
});

test("a token in the kubeconfig goes before it", async () => {
  await using server = await apiServer();
  await using home = await pluginHome(server);
  await home.writeKubeconfig(server, {
    user: { token: server.token, exec: { apiVersion: v1, command: "no-such-login" } },
  });
  using cluster = await home.open();
  expect((await cluster.request("GET", pods)).status).toBe(200);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
