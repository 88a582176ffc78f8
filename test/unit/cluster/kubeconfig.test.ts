import { describe, expect, test } from "vitest";
import { chooseContext } from "../../../src/cluster/kubeconfig/choose.ts";
import { kubeconfigFiles, mergeKubeconfigs } from "../../../src/cluster/kubeconfig/load.ts";
import { parseKubeconfig } from "../../../src/cluster/kubeconfig/parse.ts";
import type { ClusterOptions } from "../../../src/cluster/types.ts";
import { kubeconfig, mergeCases } from "./merge-cases.ts";

/** What the given files come to, as if they lay in /etc/kube. */
function choose(
  files: (string | undefined)[],
  options: ClusterOptions = {},
  platform: NodeJS.Platform = "linux",
) {
  const paths = files.map((_, index) => `/etc/kube/${index}`);
  const configs = files.flatMap((source, index) =>
    source === undefined ? [] : [parseKubeconfig(source, paths[index] ?? "")],
  );
  const merged = { ...mergeKubeconfigs(configs), files: paths, found: configs.length };
  return chooseContext(merged, options, { platform });
}

/** A kubeconfig whose only user and cluster have these fields. */
function withFields({
  user = "{}",
  cluster = '{server: "https://a"}',
}: {
  user?: string;
  cluster?: string;
}): string {
  return [
    "current-context: a",
    `clusters: [{name: a, cluster: ${cluster}}]`,
    `users: [{name: a, user: ${user}}]`,
    "contexts: [{name: a, context: {cluster: a, user: a}}]",
  ].join("\n");
}

describe("merging as kubectl does", () => {
  test.for(mergeCases)("$title", ({ files, expected }) => {
    if (!expected) {
      expect(() => choose(files)).toThrow(expect.objectContaining({ code: "KUBECONFIG_INVALID" }));
      return;
    }
    const { name, namespace, cluster, user } = choose(files);
    expect({ context: name, namespace, server: cluster.server, token: user.token }).toEqual(
      expected,
    );
  });
});

describe("on Windows, client-go's home directories", () => {
  const env = { HOME: "D:\\home", HOMEDRIVE: "H:", HOMEPATH: "\\me", USERPROFILE: "C:\\Users\\me" };
  const place = { env, home: "C:\\Users\\me", cwd: "C:\\work", platform: "win32" as const };
  const inHome = "D:\\home\\.kube\\config";
  const onDrive = "H:\\me\\.kube\\config";
  const inProfile = "C:\\Users\\me\\.kube\\config";
  test.for<[string, string[], string]>([
    ["HOME first", [inHome, onDrive, inProfile], inHome],
    ["then HOMEDRIVE and HOMEPATH", [onDrive, inProfile], onDrive],
    ["then USERPROFILE", [inProfile], inProfile],
    ["and the user's own where there is none", [], inProfile],
  ])("%s", ([, there, expected]) => {
    const exists = (path: string) => there.includes(path);
    expect(kubeconfigFiles(undefined, place, exists).files).toEqual([expected]);
  });

  test("elsewhere HOME's own alone, unasked", () => {
    const unix = { ...place, home: "/home/me", platform: "linux" as const };
    const never = () => expect.unreachable("no other home is looked at");
    expect(kubeconfigFiles(undefined, unix, never).files).toEqual(["/home/me/.kube/config"]);
  });
});

describe("which files", () => {
  const place = { env: {}, home: "/home/me", cwd: "/work", platform: "linux" as const };
  test.for([
    {
      title: "~/.kube/config without anything",
      option: undefined,
      env: {},
      files: ["/home/me/.kube/config"],
    },
    {
      title: "KUBECONFIG's list without its empty parts",
      option: undefined,
      env: { KUBECONFIG: ":/a::b:" },
      files: ["/a", "/work/b"],
    },
    {
      title: "nothing where KUBECONFIG has empty parts only",
      option: undefined,
      env: { KUBECONFIG: ":" },
      files: [],
    },
    {
      title: "~/.kube/config where KUBECONFIG is empty",
      option: undefined,
      env: { KUBECONFIG: "" },
      files: ["/home/me/.kube/config"],
    },
    {
      title: "a file once, though it is listed twice",
      option: undefined,
      env: { KUBECONFIG: "/a:/a" },
      files: ["/a"],
    },
    { title: "--kubeconfig alone", option: "c", env: { KUBECONFIG: "/a" }, files: ["/work/c"] },
  ])("$title", ({ option, env, files }) => {
    expect(kubeconfigFiles(option, { ...place, env }).files).toEqual(files);
  });

  test("KUBECONFIG is split at semicolons on Windows", () => {
    const windows = {
      env: { KUBECONFIG: "C:\\a;D:\\b" },
      home: "C:\\Users\\me",
      cwd: "C:\\",
      platform: "win32" as const,
    };
    expect(kubeconfigFiles(undefined, windows).files).toEqual(["C:\\a", "D:\\b"]);
  });
});

describe("choosing a context", () => {
  const both = [kubeconfig("prod-eu"), kubeconfig("dev")];

  test("--context goes before the current one", () => {
    expect(choose(both, { context: "dev" }).name).toBe("dev");
  });

  test("an unknown context offers the nearest", () => {
    expect(() => choose(both, { context: "prod-uk" })).toThrow(
      expect.objectContaining({
        code: "CONTEXT_NOT_FOUND",
        hint: "did you mean --context prod-eu?",
      }),
    );
  });

  test("without a current context those that are there are listed", () => {
    expect(() => choose([kubeconfig("a", { current: false })])).toThrow(
      expect.objectContaining({
        code: "CONTEXT_NOT_FOUND",
        message: 'the kubeconfig has no current context; it has "a"',
      }),
    );
  });

  test("no file at all is told with the places looked at", () => {
    expect(() => choose([undefined, undefined])).toThrow(
      expect.objectContaining({
        code: "KUBECONFIG_NOT_FOUND",
        message: expect.stringContaining("/etc/kube/0, /etc/kube/1") as string,
      }),
    );
  });

  test("an empty kubeconfig is called empty", () => {
    expect(() => choose([""])).toThrow(
      expect.objectContaining({
        code: "KUBECONFIG_INVALID",
        message: expect.stringContaining("is empty") as string,
      }),
    );
  });

  test.for(["cluster", "user"])("a %s that is not there is named", (key) => {
    const dangling = kubeconfig("a").replace(`${key}: a`, `${key}: gone`);
    expect(() => choose([dangling])).toThrow(
      expect.objectContaining({
        code: "KUBECONFIG_INVALID",
        message: expect.stringContaining(`the ${key} "gone"`) as string,
      }),
    );
  });

  test("broken YAML is told with file and line", () => {
    expect(() => choose(["a: 1\nb: [\n"])).toThrow(/\/etc\/kube\/0, line 3/);
  });

  test("control characters of the kubeconfig are not shown", () => {
    const name = "a\u001b[31mb";
    expect(() => choose([kubeconfig("x")], { context: name })).toThrow('no context "a[31mb"');
  });
});

describe("cluster and user entries", () => {
  test("relative paths start from the file they stand in", () => {
    const { cluster, user } = choose([
      "users: [{name: a, user: {client-certificate: crt/a.pem, client-key: /k.pem, tokenFile: ../t}}]",
      withFields({ cluster: '{server: "https://a", certificate-authority: ca.pem}' }).replace(
        /^users.*$/m,
        "",
      ),
    ]);
    expect(cluster.authorityFile).toBe("/etc/kube/ca.pem");
    expect(user).toMatchObject({
      certificateFile: "/etc/kube/crt/a.pem",
      keyFile: "/k.pem",
      tokenFile: "/etc/t",
    });
  });

  test.for([
    ["./bin/login", "/etc/kube/bin/login"],
    ["aws", "aws"],
    ["/usr/bin/aws", "/usr/bin/aws"],
  ])("the exec command %s is run as %s", ([command, run]) => {
    const user = `{exec: {apiVersion: client.authentication.k8s.io/v1, command: ${command ?? ""}, args: null, env: null}}`;
    expect(choose([withFields({ user })]).user.exec).toMatchObject({
      command: run,
      args: [],
      env: [],
    });
  });

  test.for([
    ["https://a:6443/", "https://a:6443"],
    ["https://rancher.example/k8s/clusters/c-1/", "https://rancher.example/k8s/clusters/c-1"],
    ["http://127.0.0.1:8001", "http://127.0.0.1:8001"],
    ["10.0.0.1:6443", "http://10.0.0.1:6443"],
    ["https://[::1]:6443", "https://[::1]:6443"],
  ])("the server %s is %s", ([server, address]) => {
    expect(choose([withFields({ cluster: `{server: "${server ?? ""}"}` })]).cluster.server).toBe(
      address,
    );
  });

  test("a server without a scheme is https where the entry speaks of TLS", () => {
    const cluster = "{server: 10.0.0.1:6443, insecure-skip-tls-verify: true}";
    expect(choose([withFields({ cluster })]).cluster.server).toBe("https://10.0.0.1:6443");
  });

  test("a token that looks like a number stays as it is", () => {
    expect(choose([withFields({ user: "{token: 0123e5}" })]).user.token).toBe("0123e5");
  });

  test.for([
    ["no server", { cluster: "{}" }],
    ["a server that is no address", { cluster: '{server: "ftp://a"}' }],
    [
      "an authority and no verification",
      {
        cluster: '{server: "https://a", certificate-authority: x, insecure-skip-tls-verify: true}',
      },
    ],
    ["a proxy of another kind", { cluster: '{server: "https://a", proxy-url: "ftp://p"}' }],
    ["a token and a username", { user: "{token: t, username: u}" }],
    [
      "an exec plugin and an auth-provider",
      { user: "{exec: {command: x}, auth-provider: {name: oidc}}" },
    ],
    ["an exec plugin without a command", { user: "{exec: {apiVersion: v1}}" }],
    ["a certificate without its key", { user: "{client-certificate: c}" }],
  ] as const)("%s is refused, as by kubectl", ([, fields]) => {
    expect(() => choose([withFields(fields)])).toThrow(
      expect.objectContaining({ code: "KUBECONFIG_INVALID" }),
    );
  });
});

describe("impersonation", () => {
  const user = "{as: joe, as-uid: '7', as-groups: [g], as-user-extra: {scopes: [x]}}";

  test("the kubeconfig's is taken", () => {
    expect(choose([withFields({ user })]).user.impersonate).toEqual({
      user: "joe",
      uid: "7",
      groups: ["g"],
      extra: { scopes: ["x"] },
    });
  });

  test("options go before it, each for itself", () => {
    const { impersonate } = choose([withFields({ user })], { as: "ann", asGroup: ["h", "i"] }).user;
    expect(impersonate).toEqual({
      user: "ann",
      uid: "7",
      groups: ["h", "i"],
      extra: { scopes: ["x"] },
    });
  });

  test("a group without a user is a usage error", () => {
    expect(() => choose([withFields({})], { asGroup: ["g"] })).toThrow(
      expect.objectContaining({ code: "USAGE" }),
    );
  });
});
