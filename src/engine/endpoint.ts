import { posix, win32 } from "node:path";
import type { Surroundings } from "../cluster/types.ts";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { contextHost, currentContext } from "./docker-context.ts";
import type { EngineOptions } from "./types.ts";
import { usualSockets } from "./usual-sockets.ts";

/** An address that an engine may answer at. */
export interface Endpoint {
  /** As shown and journaled: `unix:///var/run/docker.sock`, `npipe:////./pipe/docker_engine`, `tcp://127.0.0.1:2375`. */
  address: string;
  /** `prefix` goes before each path and has no trailing slash. */
  connection: { socketPath: string } | { host: string; port: number; prefix: string };
}

/** Where to look for the engine. */
export interface EndpointChoice {
  /** One where it was chosen, else all the usual sockets in their order, there or not. */
  endpoints: Endpoint[];
  /** What chose it, as the user knows it (`DOCKER_HOST`); undefined where nothing did. */
  chosenBy: string | undefined;
}

/** The files that the choice depends on; no answer is an error. */
export interface Files {
  /** Undefined where there is none, or none that may be read. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
}

/** What an endpoint is resolved from. */
export interface EndpointFacts extends Pick<Surroundings, "env" | "home" | "platform"> {
  files: Files;
}

/**
 * Finds the engine as docker does: `--host`, `--docker-context`, DOCKER_HOST, DOCKER_CONTEXT, the current
 * context of docker's config.json; and where none of them says, the usual sockets.
 * https://docs.docker.com/reference/cli/docker/#environment-variables
 *
 * @throws KpushError `USAGE`, `ENGINE_NOT_FOUND` (no such context), `ENGINE_UNSUPPORTED` (ssh, TLS, remote tcp)
 */
export function resolveEndpoints(options: EngineOptions, facts: EndpointFacts): EndpointChoice {
  const { env } = facts;
  if (options.host !== undefined && options.dockerContext !== undefined) {
    throw new KpushError("USAGE", "--host and --docker-context exclude each other", {
      hint: "give one of them",
    });
  }
  if (options.host !== undefined) return byHost(options.host, "--host", facts);
  if (options.dockerContext !== undefined) {
    return byContext(options.dockerContext, "--docker-context", facts);
  }
  if (env["DOCKER_HOST"]) return byHost(env["DOCKER_HOST"], "DOCKER_HOST", facts);
  if (env["DOCKER_CONTEXT"]) return byContext(env["DOCKER_CONTEXT"], "DOCKER_CONTEXT", facts);
  const current = currentContext(facts);
  if (current !== undefined && current !== "default") {
    return byContext(current, `docker's current context "${plain(current, 100)}"`, facts);
  }
  return { endpoints: usualSockets(facts).map(socketEndpoint), chosenBy: undefined };
}

/** The part of node:path that is needed, for one platform. */
export interface Paths {
  join: (...parts: string[]) => string;
  isAbsolute: (path: string) => boolean;
}

/** A path as its platform writes it, whatever this process runs on. */
export function pathsOf(platform: NodeJS.Platform): Paths {
  return platform === "win32" ? win32 : posix;
}

function byHost(host: string, chosenBy: string, facts: EndpointFacts): EndpointChoice {
  const tls = Boolean(facts.env["DOCKER_TLS_VERIFY"] || facts.env["DOCKER_TLS"]);
  return { endpoints: [parseHost(host, chosenBy, { tls, platform: facts.platform })], chosenBy };
}

function byContext(name: string, chosenBy: string, facts: EndpointFacts): EndpointChoice {
  const { platform } = facts;
  if (name === "default") {
    return { endpoints: [socketEndpoint(defaultSocket(platform))], chosenBy };
  }
  const { host, tls } = contextHost(name, chosenBy, facts);
  return { endpoints: [parseHost(host, chosenBy, { tls, platform })], chosenBy };
}

/** Reads a host as `docker -H` writes it. */
function parseHost(
  text: string,
  chosenBy: string,
  { tls, platform }: { tls: boolean; platform: NodeJS.Platform },
): Endpoint {
  const host = text.trim();
  const scheme = /^([a-z]+):\/\//.exec(host)?.[1] ?? (/^[^/]+:\d+$/.test(host) ? "tcp" : undefined);
  const rest = host.replace(/^[a-z]+:\/\//, "");
  switch (scheme) {
    case "unix":
    case "npipe":
      return socketEndpoint(rest === "" ? defaultSocket(platform) : rest);
    case "tcp":
    case "http":
      return tcpEndpoint(rest, chosenBy, tls);
    case "https":
      return tcpEndpoint(rest, chosenBy, true);
    case "ssh":
      throw unsupported("over ssh", chosenBy);
    default:
      throw new KpushError("USAGE", `${chosenBy} is no engine's address: "${plain(host, 200)}"`, {
        hint: "an address is written like unix:///var/run/docker.sock or tcp://127.0.0.1:2375",
      });
  }
}

function tcpEndpoint(rest: string, chosenBy: string, tls: boolean): Endpoint {
  if (tls) throw unsupported("over TLS", chosenBy);
  const url = parseUrl(`http://${rest.startsWith(":") || rest === "" ? `localhost${rest}` : rest}`);
  if (!url) {
    throw new KpushError("USAGE", `${chosenBy} is no engine's address: "${plain(rest, 200)}"`, {
      hint: "an address is written like tcp://127.0.0.1:2375",
    });
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host !== "localhost" && host !== "::1" && !/^127(?:\.\d+){3}$/.test(host)) {
    throw unsupported("on other machines", chosenBy);
  }
  // The URL class leaves out a port 80.
  const port = Number(url.port || (/:80(?:\/|$)/.test(rest) ? 80 : 2375));
  const prefix = url.pathname.replace(/\/+$/, "");
  return {
    address: `tcp://${url.hostname}:${port}${prefix}`,
    connection: { host, port, prefix },
  };
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function socketEndpoint(socketPath: string): Endpoint {
  // Pipes are written with either slash; node and docker take both.
  const pipe = /^[\\/]{2}[.?][\\/]pipe[\\/]/.test(socketPath);
  const path = pipe ? socketPath.replaceAll("\\", "/") : socketPath;
  return { address: `${pipe ? "npipe" : "unix"}://${path}`, connection: { socketPath: path } };
}

function defaultSocket(platform: NodeJS.Platform): string {
  return platform === "win32" ? "//./pipe/docker_engine" : "/var/run/docker.sock";
}

function unsupported(where: string, chosenBy: string): KpushError {
  return new KpushError(
    "ENGINE_UNSUPPORTED",
    `${chosenBy} names an engine ${where}, which kpush cannot work with yet`,
    {
      hint: "save the image and push the file: docker save IMAGE -o image.tar && kpush ./image.tar",
    },
  );
}
