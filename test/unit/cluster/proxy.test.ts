import { describe, expect, test } from "vitest";
import { proxyFromEnvironment } from "../../../src/cluster/proxy.ts";

const https = "https://api.dev.example:6443";
const proxy = "http://proxy:3128";

describe("which variable", () => {
  test.for([
    [https, { HTTPS_PROXY: proxy }, proxy],
    [https, { https_proxy: proxy }, proxy],
    [https, { HTTPS_PROXY: proxy, https_proxy: "http://lower" }, proxy],
    [https, { HTTP_PROXY: proxy, ALL_PROXY: proxy }, undefined],
    ["http://api.dev.example", { HTTP_PROXY: proxy, HTTPS_PROXY: "http://other" }, proxy],
    [https, { HTTPS_PROXY: "proxy:3128" }, proxy],
    [https, { HTTPS_PROXY: "socks5://proxy:1080" }, "socks5://proxy:1080"],
    [https, { HTTPS_PROXY: "" }, undefined],
  ] as const)("%s with %o goes by %s", ([server, env, expected]) => {
    expect(proxyFromEnvironment(server, env)).toBe(expected);
  });
});

describe("NO_PROXY as in Go", () => {
  test.for([
    // [NO_PROXY, server, goes by the proxy]
    ["", https, true],
    ["*", https, false],
    ["api.dev.example", https, false],
    ["API.Dev.Example", https, false],
    ["dev.example", https, false],
    [".dev.example", https, false],
    ["*.dev.example", https, false],
    [".api.dev.example", https, true],
    ["v.example", https, true],
    ["other, dev.example ,x", https, false],
    ["api.dev.example:6443", https, false],
    ["api.dev.example:443", https, true],
    ["api.dev.example:443", "https://api.dev.example", false],
    ["10.0.0.0/8", "https://10.1.2.3:6443", false],
    ["10.0.0.0/8", "https://11.1.2.3:6443", true],
    ["10.0.0.0/8", "https://10.dev.example", true],
    ["10.1.2.3", "https://10.1.2.3:6443", false],
    ["10.1.2.3:6443", "https://10.1.2.3:6443", false],
    ["10.1.2.3:443", "https://10.1.2.3:6443", true],
    ["fd00::/8", "https://[fd00::1]:6443", false],
    ["[fd00::1]:6443", "https://[fd00::1]:6443", false],
    ["fd00::1", "https://[fd00:0:0::1]:6443", false],
    ["10.0.0.0/99", "https://10.1.2.3", true],
    ["", "https://localhost:6443", false],
    ["", "https://127.0.0.1:6443", false],
    ["", "https://127.9.9.9:6443", false],
    ["", "https://[::1]:6443", false],
    ["", "https://localhost.example", true],
  ] as const)("%o, %s: by the proxy is %o", ([noProxy, server, proxied]) => {
    expect(proxyFromEnvironment(server, { HTTPS_PROXY: proxy, NO_PROXY: noProxy })).toBe(
      proxied ? proxy : undefined,
    );
  });

  test("lower case counts where upper case is not set", () => {
    expect(proxyFromEnvironment(https, { HTTPS_PROXY: proxy, no_proxy: "*" })).toBeUndefined();
  });
});
