import { describe, expect, test } from "vitest";
import { nodeWarnings } from "../../../src/install/preflight/node-warnings.ts";
import { isIpv6Only, nodeFacts, nodeTrouble } from "../../../src/install/preflight/nodes.ts";
import { node, settings } from "./preflight-objects.ts";

const refusal = (nodes: Parameters<typeof nodeFacts>[0], facts = {}) =>
  nodeTrouble(nodeFacts(nodes), settings(facts))?.message;

describe("nodes that take nothing are refused before anything is changed", () => {
  test("none", () => expect(refusal([])).toContain("no nodes yet"));
  test("none but Windows", () =>
    expect(refusal([node("win1", { os: "windows" })])).toContain("no Linux node (there are win1)"));
  test("all cordoned", () => {
    const trouble = nodeTrouble(nodeFacts([node("a", { cordoned: true })]), settings());
    expect(trouble).toMatchObject({
      code: "INSTALL_REFUSED",
      message: expect.stringContaining("all nodes are cordoned (a)") as string,
      hint: expect.stringContaining("kubectl uncordon a") as string,
    });
  });
  test("none with the labels of --node-selector", () => {
    const facts = { nodeSelector: { disk: "ssd" } };
    expect(refusal([node("a", { labels: { disk: "hdd" } })], facts)).toBe(
      "no node has the labels disk=ssd",
    );
    expect(refusal([node("a", { labels: { disk: "ssd" } })], facts)).toBeUndefined();
  });
  test("one that is well is enough", () =>
    expect(
      refusal([node("a"), node("b", { cordoned: true }), node("c", { os: "windows" })]),
    ).toBeUndefined());
  test("without node proxies, nodes may come later", () =>
    expect(refusal([], { nodeAccess: "none" })).toBeUndefined());
});

test.for([
  ["IPv4", [["10.0.0.1"]], false],
  ["IPv6", [["fd00::1"], ["fd00::2"]], true],
  ["both on each", [["10.0.0.1", "fd00::1"]], false],
  ["one of each", [["10.0.0.1"], ["fd00::1"]], false],
  ["nothing known", [[]], false],
] as const)("case 16: nodes with %s addresses", ([, addresses, expected]) => {
  const nodes = addresses.map((own, index) => node(`node${index}`, { addresses: [...own] }));
  expect(isIpv6Only(nodeFacts(nodes))).toBe(expected);
});

describe("case 15: runtimes that refuse plain HTTP", () => {
  const warned = (runtime: string, facts = {}) =>
    nodeWarnings(nodeFacts([node("a", { runtime })]), settings(facts)).length > 0;

  test.for([
    ["cri-o://1.35.0", true],
    ["cri-o://1.36.2", true],
    ["cri-o://2.0.0", true],
    ["cri-o://1.34.9", false],
    ["containerd://2.1.9", false],
    ["docker://29.1.0", false],
    ["", false],
  ] as const)("%s: %s", ([runtime, expected]) => {
    expect(warned(runtime)).toBe(expected);
  });

  test("are named, with the registries.conf text for the port", () => {
    const nodes = nodeFacts([node("a", { runtime: "cri-o://1.35.1" }), node("b")]);
    const [warning] = nodeWarnings(nodes, settings({ nodePort: 5001 }));
    expect(warning?.message).toMatch(/localhost:5001 .*: a$/);
    expect(warning?.hint).toContain(String.raw`location = "localhost:5001"\ninsecure = true`);
  });

  test("are of no concern where no proxy is installed", () =>
    expect(warned("cri-o://1.35.0", { nodeAccess: "none" })).toBe(false));
});

test("Windows nodes are said to be passed over", () => {
  const nodes = nodeFacts([node("a"), node("win1", { os: "windows" })]);
  expect(nodeWarnings(nodes, settings())).toEqual([
    { message: expect.stringMatching(/not Linux are passed over.*: win1$/) as string },
  ]);
});
