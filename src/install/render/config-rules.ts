import { mapping } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import { usage } from "../option-values.ts";

type Config = Readonly<Record<string, unknown>>;

/**
 * Sections of distribution 3's configuration, version 0.1, and what is in them; undefined: anything.
 * The registry itself passes over what it does not know, so that a slip of the pen stays unseen.
 */
const sections: Readonly<Record<string, readonly string[] | undefined>> = {
  version: undefined,
  log: ["accesslog", "level", "formatter", "fields", "hooks", "reportcaller"],
  storage: ["filesystem", "delete", "maintenance", "redirect", "tag"],
  http: ["relativeurls", "draintimeout", "headers", "debug", "http2", "h2c"],
  health: ["storagedriver", "file", "http", "tcp"],
  middleware: undefined,
  notifications: ["events", "endpoints"],
  catalog: ["maxentries"],
  tags: ["maxtags"],
  validation: ["enabled", "disabled", "manifests"],
  policy: ["repository"],
};

const cached =
  "garbage collection does not clear a cache, and an image pushed later could lack layers that it still names";
const otherStorage = "kpush keeps images on a volume: see --storage";
const plainHttp =
  "nodes and kpush speak plain HTTP to the registry, the one on the node itself, the other through the API server's TLS";

/** What would break what kpush relies on, by its path, and why. */
const refused: Readonly<Record<string, string>> = {
  // The proof, the node proxies and the daemon route log in nowhere.
  auth: "nodes pull without a login, and the API server decides who may push: see --allow-push",
  loglevel: "it is deprecated: use log.level",
  // A registry that mirrors another one refuses each push.
  proxy: "a pull-through cache takes no pushes",
  redis: cached,
  "storage.cache": cached,
  // Named one by one for their sake who have them; all other names of drivers are unknown anyway.
  "storage.s3": otherStorage,
  "storage.gcs": otherStorage,
  "storage.azure": otherStorage,
  "storage.inmemory": otherStorage,
  // The probes, the Service, the proxies and the port-forward go there.
  "http.addr": "the registry listens on :5000: see --node-port for the port on each node",
  "http.net": "the registry listens on TCP",
  // Both change the addresses that the registry gives out, or answers at.
  "http.host": "the registry is reached by several names, none of them fixed",
  "http.prefix": "nodes and kpush look for the registry's API at /v2/",
  // It would be readable in a ConfigMap.
  "http.secret": "it is in the Secret kpush-registry-http",
  "http.tls": plainHttp,
};

/**
 * Checks the user's configuration.
 *
 * @param config - as it was read, of any shape
 * @param ours - what it is merged into
 * @throws KpushError `USAGE` that names the setting, and why it cannot be
 */
export function checkConfig(config: unknown, ours: Config): void {
  checkShape("", config, ours);
  for (const [section, value] of Object.entries(mapping(config))) {
    checkKnown("", section, Object.keys(sections));
    if (value === null || section === "version") continue;
    if (!isMapping(value)) throw noMapping(section);
    for (const key of Object.keys(value)) checkKnown(`${section}.`, key, sections[section]);
  }
  checkValues(mapping(config));
}

/** What is a mapping in ours must be one in theirs: the registry would not start. */
function checkShape(path: string, theirs: unknown, ours: unknown): void {
  if (theirs === null || !isMapping(ours)) return;
  if (!isMapping(theirs)) throw noMapping(path);
  for (const [key, value] of Object.entries(ours)) {
    if (Object.hasOwn(theirs, key))
      checkShape(path === "" ? key : `${path}.${key}`, theirs[key], value);
  }
}

function checkKnown(path: string, key: string, known: readonly string[] | undefined): void {
  const name = `${path}${key}`;
  const reason = refused[name];
  if (reason !== undefined) throw usage(`--config: ${name} cannot be set: ${reason}`);
  if (known === undefined || known.includes(key)) return;
  const where = path === "" ? "" : ` in ${path.slice(0, -1)}`;
  throw usage(
    `--config: ${plain(name, 200)} is no setting of the registry`,
    `known${where} are ${known.join(", ")}`,
  );
}

function checkValues(config: Config): void {
  const { version } = config;
  if (version !== undefined && version !== null && !["0.1", 0.1].includes(version as string))
    throw usage("--config: only version 0.1 of the configuration is known");
  const { rootdirectory } = mapping(mapping(config["storage"])["filesystem"]);
  if (rootdirectory !== undefined && rootdirectory !== "/var/lib/registry")
    throw usage(
      "--config: storage.filesystem.rootdirectory is /var/lib/registry: the volume is there",
    );
  const { debug } = mapping(config["http"]);
  // It has /debug/pprof beside /metrics, for everyone who reaches its port.
  if (
    debug !== undefined &&
    !/^(127\.0\.0\.1|localhost|\[::1\]):\d+$/.test(String(mapping(debug)["addr"]))
  )
    throw usage(
      "--config: http.debug.addr must be on loopback, as its profiles are for no one else",
      "set it to 127.0.0.1:5001, and reach it by kubectl port-forward",
    );
}

function noMapping(path: string) {
  return usage(
    `--config: ${path === "" ? "the file" : plain(path, 200)} must be a mapping, as key: value`,
  );
}

/** Whether a value out of YAML is a mapping. */
export const isMapping = (value: unknown): value is Config =>
  typeof value === "object" && value !== null && !Array.isArray(value);
