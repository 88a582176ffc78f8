import type { ClusterOptions, RegistryOptions } from "../cluster/types.ts";
import { KpushError } from "../errors.ts";
import { parseDuration } from "./duration.ts";
import { optionNames, optionOf, type OptionName } from "./options.ts";

/** Values as the command line has them: texts for options, `true` for switches. */
export type Given = ReadonlyMap<OptionName, readonly string[] | true>;

/** What the options and variables came to; undefined where neither said anything. */
export interface Settings {
  kubeconfig: string | undefined;
  context: string | undefined;
  as: string | undefined;
  asGroup: string[];
  asUid: string | undefined;
  namespace: string | undefined;
  selector: string | undefined;
  registryPort: string | undefined;
  host: string | undefined;
  dockerContext: string | undefined;
  name: string | undefined;
  tags: string[];
  platform: string | undefined;
  route: "auto" | "daemon" | "direct" | undefined;
  /** Milliseconds. */
  timeout: number | undefined;
  /** Local port of `kpush tunnel`. */
  port: number | undefined;
  cluster: boolean;
  yes: boolean;
  quiet: boolean;
  verbose: boolean;
  json: boolean;
  noColor: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Options first, then the documented variables.
 *
 * @param allowed - the command's options: variables of others do not concern it
 * @throws KpushError `USAGE` that names the option or the variable
 */
export function resolveSettings(given: Given, allowed: readonly OptionName[], env: Env): Settings {
  const found = new Map<OptionName, { text: string; from: string }>();
  for (const option of optionNames) {
    const { variable } = optionOf(option);
    const [text] = listOf(given, option);
    const fallback = variable === undefined ? undefined : env[variable];
    if (text !== undefined) found.set(option, { text, from: `--${option}` });
    else if (fallback && variable !== undefined && allowed.includes(option)) {
      found.set(option, { text: fallback, from: variable });
    }
  }
  chooseOneEngine(found, given);
  if (given.has("quiet") && given.has("verbose")) {
    throw new KpushError("USAGE", "--quiet and --verbose exclude each other", {
      hint: "leave one out",
    });
  }
  const text = (option: OptionName) => found.get(option)?.text;
  const read = <T>(option: OptionName, parse: (text: string) => T | undefined, wanted: string) => {
    const value = found.get(option);
    if (value === undefined) return undefined;
    const parsed = parse(value.text);
    if (parsed === undefined) throw notValid(value, wanted);
    return parsed;
  };
  return {
    kubeconfig: text("kubeconfig"),
    context: text("context"),
    as: text("as"),
    asGroup: [...listOf(given, "as-group")],
    asUid: text("as-uid"),
    namespace: text("namespace"),
    selector: text("selector"),
    registryPort: read("registry-port", portNameOrNumber, "a port number or the name of a port"),
    host: text("host"),
    dockerContext: text("docker-context"),
    name: text("name"),
    tags: [...listOf(given, "tag")],
    platform: read("platform", platform, "a platform such as linux/amd64 or linux/arm/v7"),
    route: read("route", route, "auto, daemon or direct"),
    timeout: read("timeout", parseDuration, "a time such as 30s, 5m or 1h30m") || undefined,
    port: read("port", portNumber, "a port number from 1 to 65535"),
    cluster: given.has("cluster"),
    yes: given.has("yes"),
    quiet: given.has("quiet"),
    verbose: given.has("verbose"),
    json: given.has("json"),
    noColor: given.has("no-color"),
  };
}

/** What cluster and registry are found by, as the use cases take it. */
export function clusterSettings(settings: Settings): ClusterOptions & RegistryOptions {
  const { kubeconfig, context, as, asGroup, asUid, namespace, selector, registryPort } = settings;
  return { kubeconfig, context, as, asGroup, asUid, namespace, selector, registryPort };
}

function listOf(given: Given, option: OptionName): readonly string[] {
  const value = given.get(option);
  return value === undefined || value === true ? [] : value;
}

/** Both name an engine. An option outdoes the other one's variable; else it is not guessed which. */
function chooseOneEngine(found: Map<OptionName, { from: string }>, given: Given): void {
  const host = found.get("host");
  const context = found.get("docker-context");
  if (!host || !context) return;
  if (given.has("host") === given.has("docker-context")) {
    throw new KpushError("USAGE", `${host.from} and ${context.from} both name an engine`, {
      hint: "give one of them",
    });
  }
  found.delete(given.has("host") ? "docker-context" : "host");
}

function notValid({ text, from }: { text: string; from: string }, wanted: string): KpushError {
  return new KpushError("USAGE", `${from}: "${text}" is not ${wanted}`, {
    hint: "kpush --help lists the options",
  });
}

function platform(text: string): string | undefined {
  return /^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/.test(text) ? text : undefined;
}

function route(text: string): "auto" | "daemon" | "direct" | undefined {
  return text === "auto" || text === "daemon" || text === "direct" ? text : undefined;
}

function portNumber(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : undefined;
}

/** Port names by Kubernetes' rule (IANA_SVC_NAME): 15 letters, digits and dashes, one a letter. */
function portNameOrNumber(text: string): string | undefined {
  if (/^\d+$/.test(text)) return portNumber(text) === undefined ? undefined : text;
  const isName = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/.test(text);
  return isName ? text : undefined;
}
