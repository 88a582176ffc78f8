import { BlockList, isIP } from "node:net";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that Go's `http.ProxyFromEnvironment` would take for an address, which is what kubectl
 * does without a `proxy-url`: https servers by HTTPS_PROXY, http servers by HTTP_PROXY, upper case
 * before lower case, and none for localhost, loopback addresses and what NO_PROXY names.
 * https://pkg.go.dev/golang.org/x/net/http/httpproxy
 *
 * @returns the proxy's address with a scheme (http, https, socks5 or socks5h), undefined for none
 */
export function proxyFromEnvironment(server: string, env: Env): string | undefined {
  const { protocol, hostname, port } = new URL(server);
  const https = protocol === "https:";
  const variable = https ? "HTTPS_PROXY" : "HTTP_PROXY";
  const proxy = env[variable] || env[variable.toLowerCase()];
  if (!proxy) return undefined;
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const noProxy = env["NO_PROXY"] || env["no_proxy"] || "";
  if (bypassed(host, port || (https ? "443" : "80"), noProxy)) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function bypassed(host: string, port: string, noProxy: string): boolean {
  if (host === "localhost" || isLoopback(host)) return true;
  const rules = noProxy.split(",").map((rule) => rule.trim().toLowerCase());
  return rules.some((rule) => rule === "*" || (rule !== "" && matches(rule, host, port)));
}

/** One entry of NO_PROXY: an address range, an address or a domain, the latter two with a port or without. */
function matches(rule: string, host: string, port: string): boolean {
  const [, network, bits] = /^(.+)\/(\d+)$/.exec(rule) ?? [];
  if (network !== undefined && isIP(network))
    return isIP(host) !== 0 && inRange(host, network, Number(bits));
  const { name, only } = splitPort(rule);
  if (name === "" || (only !== undefined && only !== port)) return false;
  if (isIP(name)) return isIP(host) !== 0 && sameAddress(name, host);
  const domain = name.startsWith("*.") ? name.slice(1) : name;
  if (domain.startsWith(".")) return host.endsWith(domain); // subdomains only
  return host === domain || host.endsWith(`.${domain}`);
}

/** `name:port`, `[::1]:port`; an IPv6 address without brackets has no port. */
function splitPort(rule: string): { name: string; only: string | undefined } {
  const [, bracketed, plain, only] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(rule) ?? [];
  return { name: bracketed ?? plain ?? rule, only };
}

const isLoopback = (host: string): boolean =>
  isIP(host) !== 0 && loopback.check(host, family(host));
const family = (address: string): "ipv4" | "ipv6" => (isIP(address) === 4 ? "ipv4" : "ipv6");

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

function inRange(host: string, network: string, bits: number): boolean {
  if (bits > (isIP(network) === 4 ? 32 : 128)) return false;
  const range = new BlockList();
  range.addSubnet(network, bits, family(network));
  return range.check(host, family(host));
}

function sameAddress(one: string, other: string): boolean {
  const list = new BlockList();
  list.addAddress(one, family(one));
  return list.check(other, family(other));
}
