import { createHash } from "node:crypto";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { pathsOf, type EndpointFacts } from "./endpoint.ts";
import { readTls, type EngineTls } from "./remote/tls-files.ts";

/** The current context by docker's config.json; undefined where that is missing, broken or silent. */
export function currentContext(facts: EndpointFacts): string | undefined {
  const path = pathsOf(facts.platform).join(configDirectory(facts), "config.json");
  const config = parse(facts.files.read(path)) as { currentContext?: unknown } | undefined;
  const name = config?.currentContext;
  return typeof name === "string" && name !== "" ? name : undefined;
}

/**
 * The engine's address in a docker context, and what TLS to it is made with. A context `x` is kept in
 * `contexts/meta/<sha256 of x>/meta.json`, its files in `contexts/tls/<sha256 of x>/docker/`.
 *
 * @throws KpushError `ENGINE_NOT_FOUND` where there is no such context, or none with an engine;
 *   `ENGINE_UNSUPPORTED` where its TLS files cannot be used
 */
export function contextHost(
  name: string,
  chosenBy: string,
  facts: EndpointFacts,
): { host: string; tls: EngineTls | undefined } {
  const { join } = pathsOf(facts.platform);
  const contexts = join(configDirectory(facts), "contexts");
  const id = createHash("sha256").update(name).digest("hex");
  const meta = parse(facts.files.read(join(contexts, "meta", id, "meta.json"))) as
    { Endpoints?: { docker?: { Host?: unknown; SkipTLSVerify?: unknown } } } | undefined;
  const { Host: host, SkipTLSVerify: skip } = meta?.Endpoints?.docker ?? {};
  if (typeof host !== "string" || host === "") {
    const what =
      meta === undefined ? "there is no docker context" : "no engine is in docker context";
    throw new KpushError("ENGINE_NOT_FOUND", `${what} "${plain(name, 100)}" (by ${chosenBy})`, {
      hint: "list them with: docker context ls",
    });
  }
  const verify = skip !== true;
  const directory = join(contexts, "tls", id, "docker");
  const files = readTls(directory, { verify, needsAuthority: false }, { files: facts.files, join });
  const isTls = !verify || files.ca !== undefined || files.cert !== undefined;
  return { host, tls: isTls ? files : undefined };
}

/** Names of all docker contexts that are kept in files, so all but `default`. */
export function contextNames(
  facts: EndpointFacts,
  list: (directory: string) => readonly string[],
): string[] {
  const { join } = pathsOf(facts.platform);
  const directory = join(configDirectory(facts), "contexts", "meta");
  return list(directory).flatMap((id) => {
    const meta = parse(facts.files.read(join(directory, id, "meta.json"))) as
      { Name?: unknown } | undefined;
    return typeof meta?.Name === "string" ? [meta.Name] : [];
  });
}

/** Where docker keeps its settings, contexts and, unless told otherwise, certificates. */
export function configDirectory({ env, home, platform }: EndpointFacts): string {
  return env["DOCKER_CONFIG"] || pathsOf(platform).join(home, ".docker");
}

function parse(text: string | undefined): object | undefined {
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
