import { describe, expect, test } from "vitest";
import { variablesOf } from "../../../src/cli/command.ts";
import { installCommand } from "../../../src/cli/commands/install.ts";
import { pushCommand } from "../../../src/cli/commands/push.ts";
import { statusCommand } from "../../../src/cli/commands/status.ts";
import { tunnelCommand } from "../../../src/cli/commands/tunnel.ts";
import { uninstallCommand } from "../../../src/cli/commands/uninstall.ts";
import { variables, type OptionName } from "../../../src/cli/options.ts";
import { clusterSettings, resolveSettings } from "../../../src/cli/settings.ts";
import type { Given } from "../../../src/cli/values.ts";

const none: Given = new Map();
const resolve = (given: Given, env = {}) => resolveSettings(given, pushCommand.options, env);

test("nothing given leaves everything open", () => {
  const settings = Object.entries(resolve(none)).filter(([name]) => name !== "install");
  expect(
    settings.map(([, value]): unknown => value).filter((value) => value !== undefined),
  ).toEqual([
    ...[[], [], []], // contexts, groups and tags
    ...[false, false, false, false, false, false, false, false, false],
  ]);
});

describe("variables", () => {
  const env = {
    KPUSH_CONTEXT: "staging",
    KPUSH_NAMESPACE: "tools",
    KPUSH_SELECTOR: "app=registry",
    KPUSH_REGISTRY_PORT: "http",
    KPUSH_HOST: "unix:///run/podman.sock",
    KPUSH_PLATFORM: "linux/arm64",
    KPUSH_ROUTE: "direct",
    KPUSH_COMPRESSION: "gzip:9",
    KPUSH_TIMEOUT: "5m",
  };

  test("stand in where options are not given", () => {
    expect(resolve(none, env)).toMatchObject({
      context: "staging",
      namespace: "tools",
      selector: "app=registry",
      registryPort: "http",
      host: "unix:///run/podman.sock",
      platform: "linux/arm64",
      route: "direct",
      compression: "gzip:9",
      timeout: 300_000,
    });
  });

  test("are the documented ones, and no others", () => {
    const documented = [...Object.keys(env), "KPUSH_DOCKER_CONTEXT"].toSorted();
    expect(variables.map(({ variable }) => variable).toSorted()).toEqual(documented);
  });

  test("give way to options", () => {
    expect(resolve(new Map([["context", ["prod"]]]), env)).toMatchObject({ context: "prod" });
  });

  test("that are empty are not set", () => {
    expect(resolve(none, { KPUSH_CONTEXT: "" }).context).toBeUndefined();
  });

  test("of another command do not concern this one", () => {
    const wrong = { KPUSH_TIMEOUT: "never", KPUSH_CONTEXT: "staging" };
    const settings = resolveSettings(none, tunnelCommand.options, wrong);
    expect(settings).toMatchObject({ context: "staging", timeout: undefined });
  });

  test("that are wrong are named", () => {
    expect(() => resolve(none, { KPUSH_TIMEOUT: "soon" })).toThrow(
      expect.objectContaining({
        code: "USAGE",
        message: 'KPUSH_TIMEOUT: "soon" is not a time such as 30s, 5m or 1h30m',
      }),
    );
  });
});

describe("the engine", () => {
  test("by an option is not disturbed by the other variable", () => {
    const env = { KPUSH_HOST: "unix:///a.sock", KPUSH_DOCKER_CONTEXT: "colima" };
    expect(resolve(new Map([["docker-context", ["desktop"]]]), env)).toMatchObject({
      host: undefined,
      dockerContext: "desktop",
    });
    expect(resolve(new Map([["host", ["unix:///b.sock"]]]), env)).toMatchObject({
      host: "unix:///b.sock",
      dockerContext: undefined,
    });
  });

  test("by two variables is not guessed", () => {
    const env = { KPUSH_HOST: "unix:///a.sock", KPUSH_DOCKER_CONTEXT: "colima" };
    expect(() => resolve(none, env)).toThrow(
      "KPUSH_HOST and KPUSH_DOCKER_CONTEXT both name an engine",
    );
  });
});

test("a time of nothing is no limit", () => {
  expect(resolve(new Map([["timeout", ["0"]]])).timeout).toBeUndefined();
});

test("use cases get what finds the cluster and its registry", () => {
  const given: Given = new Map([
    ["as-group", ["a", "b"]],
    ["kubeconfig", ["k.yaml"]],
  ]);
  expect(clusterSettings(resolve(given))).toEqual({
    kubeconfig: "k.yaml",
    asGroup: ["a", "b"],
    context: undefined,
    as: undefined,
    asUid: undefined,
    namespace: undefined,
    selector: undefined,
    registryPort: undefined,
  });
});

describe("an installation", () => {
  const choices = (...given: [OptionName, string[] | boolean][]) =>
    resolveSettings(new Map(given), installCommand.options, {}).install;

  test("waits and proves unless told otherwise, and leaves the rest to its defaults", () => {
    const entries = Object.entries(choices()).filter(
      ([, value]) => value !== undefined && value !== false,
    );
    expect(Object.fromEntries(entries)).toEqual({
      wait: true,
      verify: true,
      allowFrom: [],
      allowPush: [],
      nodeSelector: [],
    });
  });

  test.for<[OptionName, string, string, unknown]>([
    ["run-as-user", "0", "runAsUser", 0],
    ["node-access", "hostnetwork", "nodeAccess", "hostnetwork"],
    ["node-port", "5001", "nodePort", 5001],
    ["verify-nodes", "2", "verifyNodes", 2],
    ["dry-run", "server", "dryRun", "server"],
    ["output", "yaml", "output", "yaml"],
    ["storage", "claim:old", "storage", "claim:old"],
  ])("--%s %s", ([option, text, name, value]) => {
    expect(choices([option, [text]])).toHaveProperty(name, value);
  });

  test("that is not waited for has no proof", () => {
    expect(choices(["wait", false])).toMatchObject({ wait: false, verify: false });
    expect(choices(["no-verify", true])).toMatchObject({ wait: true, verify: false });
  });

  test("has a list of what may be given again", () => {
    const given = ["group:a", "user:b"];
    expect(choices(["allow-push", given], ["toleration", ["key"]])).toMatchObject({
      allowPush: given,
      tolerations: ["key"],
    });
  });
});

test.for([installCommand, uninstallCommand, statusCommand])(
  "$name reads the variables of the cluster, and not those of a push",
  (command) => {
    const env = { KPUSH_CONTEXT: "staging", KPUSH_NAMESPACE: "tools", KPUSH_TIMEOUT: "never" };
    expect(resolveSettings(none, variablesOf(command), env)).toMatchObject({
      context: "staging",
      namespace: "tools",
      timeout: undefined,
    });
  },
);
