import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { Endpoint } from "../endpoint.ts";
import type { EngineTls } from "./tls-files.ts";

/**
 * Reads `HOST[:PORT][/PREFIX]`. As for docker the port is 2375 unless given, with TLS too, and
 * `tcp://` alone is this machine.
 *
 * @throws KpushError `USAGE`
 */
export function tcpEndpoint(rest: string, chosenBy: string, tls: EngineTls | undefined): Endpoint {
  const url = parseUrl(`http://${rest.startsWith(":") || rest === "" ? `localhost${rest}` : rest}`);
  if (!url || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new KpushError("USAGE", `${chosenBy} is no engine's address: "${plain(rest, 200)}"`, {
      hint: "an address is written like tcp://127.0.0.1:2375",
    });
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  // The URL class leaves out a port 80.
  const port = Number(url.port || (/:80(?:\/|$)/.test(rest) ? 80 : 2375));
  const prefix = url.pathname.replace(/\/+$/, "");
  return {
    address: `tcp://${url.hostname}:${port}${prefix}`,
    connection: { host, port, prefix, ...(tls && { tls }) },
  };
}

/**
 * What to warn of before an engine is used: whoever is on the way to it can read images, change them, and
 * command the engine. docker takes such an address, too.
 */
export function unsafeWay({ address, connection }: Endpoint): string | undefined {
  if (!("host" in connection) || isLoopback(connection.host)) return undefined;
  if (!connection.tls) return `the way to the engine at ${address} is open to all: it has no TLS`;
  if (connection.tls.verify) return undefined;
  return `the engine at ${address} may be another's: its certificate is not verified`;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d+){3}$/.test(host);
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
