import { Agent as HttpAgent, type AgentOptions as HttpAgentOptions } from "node:http";
import { Agent as HttpsAgent, type AgentOptions } from "node:https";

/** The part of a TLS connection's options that a kubeconfig decides. */
export type TlsOptions = Pick<
  AgentOptions,
  "ca" | "cert" | "key" | "servername" | "rejectUnauthorized" | "secureContext"
>;

/**
 * Idle connections are kept, the one last used is taken first, and there are always enough of them:
 * an upgrade on an idle connection costs one round trip in place of three.
 */
const pooling: HttpAgentOptions = {
  keepAlive: true,
  keepAliveMsecs: 30_000,
  maxFreeSockets: 32,
  scheduling: "lifo",
};

/**
 * Makes the one agent that API requests and upgrades share. Proxy code is loaded only for a proxy.
 *
 * @param server - address of the API server; its scheme decides about TLS
 * @param proxy - address with a scheme: http, https, socks5 or socks5h
 * @param signal - ends handshakes with a proxy that are under way
 */
export async function makeAgent(
  server: string,
  proxy: string | undefined,
  tls: TlsOptions,
  signal: AbortSignal,
): Promise<HttpAgent> {
  const secure = server.startsWith("https:");
  const options: AgentOptions = { ...pooling, ...(secure ? tls : {}) };
  if (proxy === undefined) return secure ? new HttpsAgent(options) : new HttpAgent(options);
  if (proxy.startsWith("socks")) {
    const { SocksProxyAgent } = await import("socks-proxy-agent");
    // As in Go, the proxy resolves the name, whether it is called socks5 or socks5h.
    return new SocksProxyAgent(proxy.replace(/^socks5:/, "socks5h:"), {
      ...options,
      ...{ secureEndpoint: secure }, // else it guesses from the call stack, and never reuses a connection
    });
  }
  const { connectAgent } = await import("./connect-agent.ts");
  return connectAgent(secure, new URL(proxy), options, signal);
}
