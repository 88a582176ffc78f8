import { describe, expect, test } from "vitest";
import { pushCommand } from "../../../src/cli/commands/push.ts";
import { tunnelCommand } from "../../../src/cli/commands/tunnel.ts";
import { variables } from "../../../src/cli/options.ts";
import { clusterSettings, resolveSettings, type Given } from "../../../src/cli/settings.ts";

const none: Given = new Map();
const resolve = (given: Given, env = {}) => resolveSettings(given, pushCommand.options, env);

test("nothing given leaves everything open", () => {
  const settings = resolve(none);
  expect(Object.values(settings).filter((value) => value !== undefined)).toEqual([
    ...[[], []], // groups and tags
    ...[false, false, false, false, false, false],
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
