import { notStarted } from "../../../src/cluster/credentials/exec-plugin.ts";
import { describe, expect, test } from "vitest";
import { execInfo, parseExecCredential } from "../../../src/cluster/credentials/exec-credential.ts";
import { expiryOf } from "../../../src/cluster/credentials/jwt.ts";
import type { Login, LoginSource } from "../../../src/cluster/credentials/login.ts";
import { memoise } from "../../../src/cluster/credentials/memo.ts";
import { terminalText } from "../../../src/image/terminal-text.ts";
import { impersonationHeaders } from "../../../src/cluster/impersonation.ts";

const v1 = "client.authentication.k8s.io/v1";

describe("memory of logins", () => {
  /** A source whose logins are t1, t2, … and a clock that stands still. */
  function counting(
    facts: { life?: number; maxAge?: number; renewable?: boolean; same?: boolean } = {},
  ) {
    const clock = { now: 1_000_000 };
    let asked = 0;
    const source: LoginSource = {
      help: "",
      renewable: facts.renewable ?? true,
      ...(facts.maxAge === undefined ? {} : { maxAge: facts.maxAge }),
      get: () => {
        asked += 1;
        const expires = facts.life === undefined ? undefined : clock.now + facts.life;
        return Promise.resolve({ token: facts.same ? "t" : `t${asked}`, expires });
      },
    };
    return { clock, credentials: memoise(source, () => clock.now), asked: () => asked };
  }
  const tokens = async (logins: Promise<Login>[]) =>
    (await Promise.all(logins)).map(({ token }) => token);

  test("all who ask share one call", async () => {
    const { credentials, asked } = counting();
    expect(await tokens([credentials.current(), credentials.current()])).toEqual(["t1", "t1"]);
    expect(await tokens([credentials.current()])).toEqual(["t1"]);
    expect(asked()).toBe(1);
  });

  test("a login is renewed shortly before its end", async () => {
    const { clock, credentials } = counting({ life: 600_000 });
    await credentials.current();
    clock.now += 569_000;
    expect(await tokens([credentials.current()])).toEqual(["t1"]);
    clock.now += 2_000;
    expect(await tokens([credentials.current()])).toEqual(["t2"]);
  });

  test("a short-lived login is used for half of its life", async () => {
    const { clock, credentials, asked } = counting({ life: 10_000 });
    await credentials.current();
    clock.now += 4_000;
    await credentials.current();
    expect(asked()).toBe(1);
    clock.now += 2_000;
    await credentials.current();
    expect(asked()).toBe(2);
  });

  test("refusals at once cause one refresh", async () => {
    const { credentials, asked } = counting();
    await credentials.current();
    expect(await Promise.all([1, 2, 3].map(() => credentials.refresh()))).toEqual([
      true,
      true,
      true,
    ]);
    expect(asked()).toBe(2);
  });

  test("a late refusal of the old login causes no further refresh", async () => {
    const { credentials, asked } = counting();
    const old = await credentials.current();
    await credentials.refresh(old);
    expect(await credentials.refresh(old)).toBe(true);
    expect(await credentials.refresh()).toBe(true);
    expect(asked()).toBe(2);
  });

  test("a refusal of the new login, and one much later, cause another", async () => {
    const { clock, credentials, asked } = counting();
    await credentials.current();
    await credentials.refresh();
    await credentials.refresh(await credentials.current());
    expect(asked()).toBe(3);
    clock.now += 60_000;
    await credentials.refresh();
    expect(asked()).toBe(4);
  });

  test("the same login again is nothing new, and keeps its identity", async () => {
    const { credentials } = counting({ same: true });
    const login = await credentials.current();
    expect(await credentials.refresh(login)).toBe(false);
    expect(await credentials.current()).toBe(login);
  });

  test("a fixed login has nothing to refresh", async () => {
    const { credentials, asked } = counting({ renewable: false });
    await credentials.current();
    expect(await credentials.refresh()).toBe(false);
    expect(asked()).toBe(1);
  });

  test("a failure is not remembered", async () => {
    let fail = true;
    const source: LoginSource = {
      help: "",
      renewable: true,
      get: () => (fail ? Promise.reject(new Error("no")) : Promise.resolve({ token: "t" })),
    };
    const credentials = memoise(source);
    await expect(credentials.current()).rejects.toThrow("no");
    fail = false;
    expect((await credentials.current()).token).toBe("t");
  });
});

describe("exec credentials", () => {
  const cluster = {
    name: "c",
    server: "https://a:6443",
    authorityData: undefined,
    authorityFile: "/ca.crt",
    authority: "PEM",
    serverName: "api",
    insecure: false,
    proxyUrl: "http://p",
    execConfig: { arn: "x" },
  };
  const credential = (status: object, apiVersion = v1) =>
    JSON.stringify({ kind: "ExecCredential", apiVersion, status });

  test("the plugin is told of the cluster only where it asks for it", () => {
    expect(JSON.parse(execInfo(v1, false, undefined))).toEqual({
      kind: "ExecCredential",
      apiVersion: v1,
      spec: { interactive: false },
    });
    expect(JSON.parse(execInfo(v1, true, cluster))).toEqual({
      kind: "ExecCredential",
      apiVersion: v1,
      spec: {
        interactive: true,
        cluster: {
          server: "https://a:6443",
          "tls-server-name": "api",
          "certificate-authority-data": Buffer.from("PEM").toString("base64"),
          "proxy-url": "http://p",
          config: { arn: "x" },
        },
      },
    });
  });

  test("a token with its end, or a certificate with its key, is a login", () => {
    const expires = "2026-05-01T10:00:00Z";
    expect(
      parseExecCredential(credential({ token: "t", expirationTimestamp: expires }), v1, "x"),
    ).toMatchObject({ token: "t", expires: Date.parse(expires) });
    expect(
      parseExecCredential(credential({ clientCertificateData: "C", clientKeyData: "K" }), v1, "x"),
    ).toMatchObject({ certificate: "C", key: "K", expires: undefined });
  });

  test.for([
    ["printed nothing", ""],
    ["printed something that is no JSON", "Please log in"],
    ["printed something that is no ExecCredential", "{}"],
    [
      "answered with version client.authentication.k8s.io/v1beta1",
      credential({ token: "t" }, "client.authentication.k8s.io/v1beta1"),
    ],
    ["gave neither a token nor a certificate", credential({})],
    ["gave only one of certificate and key", credential({ token: "t", clientKeyData: "K" })],
  ] as const)("a plugin that %s is refused", ([why, stdout]) => {
    expect(() => parseExecCredential(stdout, v1, "x")).toThrow(
      expect.objectContaining({
        code: "CREDENTIALS_FAILED",
        message: expect.stringContaining(why) as string,
      }),
    );
  });
});

test.for([
  ["a colour", "\u001b[31mred\u001b[0m", "red"],
  ["a title", "\u001b]0;owned\u0007ok", "ok"],
  ["a cleared screen", "\u001b[2J\u001b[Hok", "ok"],
  ["a rewritten line", "10 %\r20 %\r\nend\n", "10 %\n20 %\nend\n"],
  ["a reordered line", "a\u202eb", "ab"],
  ["a bell and a null", "a\u0007\u0000b", "ab"],
  ["tabs and umlauts", "\tä\n", "\tä\n"],
] as const)("the terminal is safe from %s", ([, said, shown]) => {
  expect(terminalText()(Buffer.from(said))).toBe(shown);
});

test("a character that comes in two parts stays whole", () => {
  const clean = terminalText();
  const [first, second] = Buffer.from("ä");
  expect(clean(Buffer.of(first ?? 0)) + clean(Buffer.of(second ?? 0))).toBe("ä");
});

test("the end of a JSON Web Token is read from its claims", () => {
  const token = (claims: object) =>
    `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
  expect(expiryOf(token({ exp: 1_700_000_000 }))).toBe(1_700_000_000_000);
  expect(expiryOf(token({}))).toBeUndefined();
  expect(expiryOf("opaque")).toBeUndefined();
});

test("impersonation headers carry UTF-8, and escape keys", () => {
  const headers = impersonationHeaders({
    user: "jö",
    uid: "7",
    groups: ["a", "b"],
    extra: { "acme.com/Scopes": ["x", "y"] },
  });
  expect(headers).toEqual({
    "Impersonate-User": "jÃ¶",
    "Impersonate-Uid": "7",
    "Impersonate-Group": ["a", "b"],
    "Impersonate-Extra-acme.com%2Fscopes": ["x", "y"],
  });
});

test.for<[NodeJS.Platform, string, boolean]>([
  ["win32", "ENOENT", true],
  ["win32", "EINVAL", true],
  ["linux", "ENOENT", false],
])("a plugin that is not started on %s (%s) may be a batch file: %s", ([platform, code, batch]) => {
  const exec = { command: "login", installHint: undefined };
  const { message } = notStarted(exec, Object.assign(new Error(code), { code }), platform);
  expect(message).toContain("login is not installed, or not in PATH");
  expect(message.includes("a batch file (.cmd, .bat)")).toBe(batch);
});
