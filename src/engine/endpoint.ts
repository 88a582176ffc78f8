import { posix, win32 } from "node:path";
import type { Surroundings } from "../cluster/types.ts";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { configDirectory, contextHost, currentContext } from "./docker-context.ts";
import { sshEndpoint } from "./remote/ssh-address.ts";
import type { SshTarget } from "./remote/ssh-address.ts";
import { tcpEndpoint } from "./remote/tcp-address.ts";
import { readTls, type EngineTls } from "./remote/tls-files.ts";
import type { EngineOptions } from "./types.ts";
import { usualSockets } from "./usual-sockets.ts";

/** An address that an engine may answer at. */
export interface Endpoint {
  /**
   * As shown and journaled: `unix:///var/run/docker.sock`, `npipe:////./pipe/docker_engine`,
   * `tcp://127.0.0.1:2375`, `ssh://me@build`.
   */
  address: string;
  connection: { socketPath: string } | TcpConnection | { ssh: SshTarget };
}

/** `prefix` goes before each path and has no trailing slash. */
export interface TcpConnection {
  host: string;
  port: number;
  prefix: string;
  tls?: EngineTls;
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
export interface EndpointFacts extends Pick<
  Surroundings,
  "env" | "home" | "platform" | "engineTls"
> {
  files: Files;
}

/**
 * Finds the engine as docker does: `--host`, `--docker-context`, DOCKER_HOST, DOCKER_CONTEXT, the current
 * context of docker's config.json; and where none of them says, the usual sockets.
 * https://docs.docker.com/reference/cli/docker/#environment-variables
 *
 * @throws KpushError `USAGE`, `ENGINE_NOT_FOUND` (no such context), `ENGINE_UNSUPPORTED` (its TLS files)
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
  resolve: (...parts: string[]) => string;
}

/** A path as its platform writes it, whatever this process runs on. */
export function pathsOf(platform: NodeJS.Platform): Paths {
  return platform === "win32" ? win32 : posix;
}

function byHost(host: string, chosenBy: string, facts: EndpointFacts): EndpointChoice {
  const { env, files, platform, engineTls } = facts;
  const verify = Boolean(env["DOCKER_TLS_VERIFY"]);
  const isAsked = verify || Boolean(env["DOCKER_TLS"]);
  const { join } = pathsOf(platform);
  const tls = () => {
    if (!isAsked) return undefined;
    const directory = env["DOCKER_CERT_PATH"] || configDirectory(facts);
    return readTls(directory, { verify, needsAuthority: verify }, { files, join }, engineTls);
  };
  return { endpoints: [parseHost(host, chosenBy, { tls, platform })], chosenBy };
}

function byContext(name: string, chosenBy: string, facts: EndpointFacts): EndpointChoice {
  const { platform } = facts;
  if (name === "default") {
    return { endpoints: [socketEndpoint(defaultSocket(platform))], chosenBy };
  }
  const { host, tls } = contextHost(name, chosenBy, facts);
  return { endpoints: [parseHost(host, chosenBy, { tls: () => tls, platform })], chosenBy };
}

/**
 * Reads a host as `docker -H` writes it.
 *
 * @param tls - is asked only for an address that can have it
 */
function parseHost(
  text: string,
  chosenBy: string,
  { tls, platform }: { tls: () => EngineTls | undefined; platform: NodeJS.Platform },
): Endpoint {
  const host = text.trim();
  const scheme = /^([a-z]+):\/\//.exec(host)?.[1] ?? (/^[^/]+:\d+$/.test(host) ? "tcp" : undefined);
  const rest = host.replace(/^[a-z]+:\/\//, "");
  switch (scheme) {
    case "unix":
    case "npipe":
      if ((scheme === "npipe") !== (platform === "win32")) throw foreign(host, chosenBy, platform);
      return socketEndpoint(rest === "" ? defaultSocket(platform) : rest);
    case "tcp":
    case "http":
      return tcpEndpoint(rest, chosenBy, tls());
    case "https":
      return tcpEndpoint(rest, chosenBy, tls() ?? machinesAuthorities);
    case "ssh":
      return sshEndpoint(rest, chosenBy);
    default:
      throw new KpushError("USAGE", `${chosenBy} is no engine's address: "${plain(host, 200)}"`, {
        hint: `an address is written like ${socketEndpoint(defaultSocket(platform)).address}, tcp://HOST:2376 or ssh://HOST`,
      });
  }
}

/** An address of another system, as WSL's variables and shared home directories bring along. */
function foreign(host: string, chosenBy: string, platform: NodeJS.Platform): KpushError {
  const own = socketEndpoint(defaultSocket(platform)).address;
  const what =
    platform === "win32"
      ? "a Unix socket, which Node.js cannot open on Windows"
      : "a named pipe, which only Windows has";
  return new KpushError("ENGINE_UNSUPPORTED", `${chosenBy} is ${what}: ${plain(host, 200)}`, {
    hint: `name the engine as this system reaches it, for one --host ${own}`,
  });
}

const machinesAuthorities: EngineTls = {
  ca: undefined,
  cert: undefined,
  key: undefined,
  verify: true,
};

function socketEndpoint(socketPath: string): Endpoint {
  // Pipes are written with either slash; node and docker take both.
  const pipe = /^[\\/]{2}[.?][\\/]pipe[\\/]/.test(socketPath);
  const path = pipe ? socketPath.replaceAll("\\", "/") : socketPath;
  return { address: `${pipe ? "npipe" : "unix"}://${path}`, connection: { socketPath: path } };
}

function defaultSocket(platform: NodeJS.Platform): string {
  return platform === "win32" ? "//./pipe/docker_engine" : "/var/run/docker.sock";
}
