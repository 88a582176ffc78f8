import { Agent as HttpAgent, request as httpRequest, type ClientRequestArgs } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type AgentOptions } from "node:https";
import { isIPv6, type Socket } from "node:net";
import type { Duplex } from "node:stream";

type Created = (error: Error | null, socket: Duplex) => void;

/** A proxy that did not open the way; `status` is what it answered to CONNECT. */
class ProxyRefusal extends Error {
  override name = "ProxyRefusal";
  readonly status: number;

  constructor(status: number) {
    super(`the proxy answered ${status} to CONNECT`);
    this.status = status;
  }
}

/**
 * An agent whose connections go through an HTTP proxy by CONNECT.
 *
 * @param proxy - http or https; its user and password are sent as Basic
 * @param signal - ends those CONNECTs that are under way
 */
export function connectAgent(
  secure: boolean,
  proxy: URL,
  options: AgentOptions,
  signal: AbortSignal,
): HttpAgent {
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
  const direct = agent.createConnection.bind(agent);
  agent.createConnection = (target: ClientRequestArgs, created?: Created): undefined => {
    void connect(proxy, target, signal).then(
      (socket) =>
        created?.(
          null,
          secure ? (direct({ ...target, socket } as ClientRequestArgs) as Duplex) : socket,
        ),
      (error: unknown) => created?.(error as Error, undefined as never),
    );
  };
  return agent;
}

function connect(proxy: URL, target: ClientRequestArgs, signal: AbortSignal): Promise<Socket> {
  const name = target.host ?? "localhost";
  const authority = `${isIPv6(name) ? `[${name}]` : name}:${target.port ?? 443}`;
  const request = (proxy.protocol === "https:" ? httpsRequest : httpRequest)({
    method: "CONNECT",
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: proxy.port || (proxy.protocol === "https:" ? 443 : 80),
    path: authority,
    headers: { host: authority, ...proxyAuthorization(proxy) },
    agent: false,
    timeout: target.timeout,
    signal,
  });
  return new Promise((resolve, reject) => {
    request.once("connect", (response, socket: Socket) => {
      request
        .removeAllListeners("error")
        .removeAllListeners("timeout")
        .on("error", () => undefined);
      socket.setTimeout(0);
      if (response.statusCode === 200) {
        resolve(socket);
      } else {
        socket.destroy();
        reject(new ProxyRefusal(response.statusCode ?? 0));
      }
    });
    request.once("response", (response) => {
      response.destroy();
      reject(new ProxyRefusal(response.statusCode ?? 0));
    });
    request.once("timeout", () =>
      request.destroy(Object.assign(new Error("the proxy did not answer"), { code: "ETIMEDOUT" })),
    );
    request.once("error", reject);
    request.end();
  });
}

function proxyAuthorization({ username, password }: URL): Record<string, string> {
  if (!username && !password) return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(login).toString("base64")}` };
}
