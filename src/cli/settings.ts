import type { ClusterOptions, RegistryOptions } from "../cluster/types.ts";
import { compressionWords, parseCompression } from "../image/compression.ts";
import { parseDuration } from "./duration.ts";
import { checkExclusions } from "./exclusions.ts";
import { installChoices, type InstallChoices } from "./install-settings.ts";
import type { OptionName } from "./options.ts";
import { openValues, portNumber, type Env, type Given } from "./values.ts";

/** What the options and variables came to; undefined where neither said anything. */
export interface Settings {
  kubeconfig: string | undefined;
  /** The first, where there are several. */
  context: string | undefined;
  /** All that were given as options, each once. */
  contexts: string[];
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
  allTags: boolean;
  /** Of `kpush push`; that of install is among its choices. */
  dryRun: boolean;
  platform: string | undefined;
  force: boolean;
  route: "auto" | "daemon" | "direct" | undefined;
  /** As `parseCompression` takes it. */
  compression: string | undefined;
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
  /** Of `kpush install` and `kpush uninstall`. */
  install: InstallChoices;
}

/**
 * Options first, then the documented variables.
 *
 * @param concerned - the options whose variables count: those of others do not concern the command
 * @throws KpushError `USAGE` that names the option or the variable
 */
export function resolveSettings(
  given: Given,
  concerned: readonly OptionName[],
  env: Env,
): Settings {
  checkExclusions(given);
  const values = openValues(given, concerned, env);
  const { text, list, isOn, read } = values;
  return {
    kubeconfig: text("kubeconfig"),
    context: text("context"),
    contexts: [...new Set(list("context"))],
    as: text("as"),
    asGroup: [...list("as-group")],
    asUid: text("as-uid"),
    namespace: text("namespace"),
    selector: text("selector"),
    registryPort: read("registry-port", portNameOrNumber, "a port number or the name of a port"),
    host: text("host"),
    dockerContext: text("docker-context"),
    name: text("name"),
    tags: [...list("tag")],
    allTags: isOn("all-tags"),
    dryRun: isOn("dry-run"),
    platform: read("platform", platform, "a platform such as linux/amd64 or linux/arm/v7"),
    force: isOn("force"),
    route: read("route", route, "auto, daemon or direct"),
    compression: read("compression", compression, compressionWords),
    timeout: read("timeout", parseDuration, "a time such as 30s, 5m or 1h30m") || undefined,
    port: read("port", portNumber, "a port number from 1 to 65535"),
    cluster: isOn("cluster"),
    yes: isOn("yes"),
    quiet: isOn("quiet"),
    verbose: isOn("verbose"),
    json: isOn("json"),
    noColor: isOn("no-color"),
    install: installChoices(values),
  };
}

/** Which cluster, and which of its namespaces, as the use cases take it. */
export function accessSettings(
  settings: Settings,
): ClusterOptions & Pick<RegistryOptions, "namespace"> {
  const { kubeconfig, context, as, asGroup, asUid, namespace } = settings;
  return { kubeconfig, context, as, asGroup, asUid, namespace };
}

/** The time limit of what has one unless told otherwise: none given is the usual one, and 0 is none. */
export function patienceOf({ timeout }: Settings, given: Given): number | undefined {
  return timeout === undefined && given.has("timeout") ? 2 ** 31 - 1 : timeout;
}

/** What cluster and registry are found by, as the use cases take it. */
export function clusterSettings(settings: Settings): ClusterOptions & RegistryOptions {
  const { selector, registryPort } = settings;
  return { ...accessSettings(settings), selector, registryPort };
}

function platform(text: string): string | undefined {
  return /^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/.test(text) ? text : undefined;
}

function route(text: string): "auto" | "daemon" | "direct" | undefined {
  return text === "auto" || text === "daemon" || text === "direct" ? text : undefined;
}

function compression(text: string): string | undefined {
  return parseCompression(text) && text;
}

/** Port names by Kubernetes' rule (IANA_SVC_NAME): 15 letters, digits and dashes, one a letter. */
function portNameOrNumber(text: string): string | undefined {
  if (/^\d+$/.test(text)) return portNumber(text) === undefined ? undefined : text;
  const isName = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/.test(text);
  return isName ? text : undefined;
}
