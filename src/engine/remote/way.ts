import { Agent, request as httpRequest, type ClientRequest, type RequestOptions } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { isIP } from "node:net";
import type { Endpoint } from "../endpoint.ts";
import { DialAgent } from "./dial-agent.ts";
import { sshDialer, type SshSurroundings } from "./ssh-dial.ts";

/** How requests get to an engine. */
export interface Way {
  agent: Agent;
  request(options: RequestOptions): ClientRequest;
  /** Goes before each path. */
  prefix: string;
  /** Whether it may ask the user something before the first answer. */
  asks: boolean;
}

/** Opens nothing yet. */
export function openWay({ address, connection }: Endpoint, surroundings: SshSurroundings): Way {
  if ("ssh" in connection) {
    const agent = new DialAgent(sshDialer(address, connection.ssh, surroundings));
    const request = (options: RequestOptions) => httpRequest({ ...options, agent });
    return { agent, request, prefix: "", asks: true };
  }
  if ("host" in connection && connection.tls) {
    const { host, port, prefix, tls } = connection;
    const { ca, cert, key, verify: rejectUnauthorized } = tls;
    const agent = new TlsAgent({ keepAlive: true, ca, cert, key, rejectUnauthorized });
    const servername = isIP(host) ? "" : host; // addresses are no server names (RFC 6066)
    const request = (options: RequestOptions) =>
      tlsRequest({ ...options, host, port, servername, agent });
    return { agent, request, prefix, asks: false };
  }
  const agent = new Agent({ keepAlive: true });
  const target = {
    ...("socketPath" in connection ? connection : { host: connection.host, port: connection.port }),
    agent,
    servername: "", // else Node looks whether a host is an address, by an expression of 5 ms
  };
  const request = (options: RequestOptions) => httpRequest({ ...options, ...target });
  return { agent, request, prefix: "prefix" in connection ? connection.prefix : "", asks: false };
}
