import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf } from "../errors.ts";
import { plain } from "../image/text.ts";
import { defaultNamespace, isSystemNamespace } from "./names.ts";
import * as read from "./option-values.ts";
import { parseRegistryConfig } from "./render/registry-config.ts";
import type { InstallOptions, InstallSettings, NodeAccess, Storage } from "./types.ts";

const osLabel = "kubernetes.io/os";

/**
 * Reads the file that the option `config` names. To be done once: what a shell puts there for `<(…)` is
 * empty the second time.
 *
 * @param cwd - where a relative path starts
 * @returns its content; undefined where none is named
 * @throws KpushError `USAGE`
 */
export async function readConfig(
  { config: file }: InstallOptions,
  cwd: string,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(resolve(cwd, file), "utf8");
  } catch (error) {
    const why = plain(messageOf(error), 300);
    throw read.usage(`--config: the file cannot be read: ${why}`, "name a file in YAML");
  }
}

/**
 * Checks the options, and fills in what is left out. `ipv6` is false: only the cluster tells.
 *
 * @param config - content of the file that `options.config` names
 * @throws KpushError `USAGE` that names the option and what it takes
 */
export function settingsOf(options: InstallOptions, config?: string): InstallSettings {
  const namespace = read.namespaceName("namespace", options.namespace ?? defaultNamespace);
  return {
    namespace,
    makesNamespace: !isSystemNamespace(namespace),
    image: read.imageReference("image", options.image ?? "registry:3.1.1"),
    imagePullSecret: nameOf("image-pull-secret", options.imagePullSecret),
    storage: storageOf(options),
    runAsUser: read.integer("run-as-user", options.runAsUser ?? 1000, [0, 2 ** 31 - 1]),
    ...nodesOf(options),
    ipv6: false,
    allowFrom: unique(options.allowFrom).map((text) => read.namespaceName("allow-from", text)),
    allowPush: unique(options.allowPush).map((text) => read.subject("allow-push", text)),
    tolerations: options.tolerations && unique(options.tolerations).map(tolerationOf),
    nodeSelector: selectorOf(unique(options.nodeSelector)),
    priorityClass: nameOf("priority-class", options.priorityClass),
    config: config === undefined ? {} : parseRegistryConfig(config),
  };
}

const unique = (texts: readonly string[] = []): string[] => [...new Set(texts)];
const tolerationOf = (text: string) => read.toleration("toleration", text);
const nameOf = (option: string, text: string | undefined) =>
  text === undefined ? undefined : read.objectName(option, text);

function storageOf({ storage = "pvc", size, storageClass }: InstallOptions): Storage {
  const claim = /^claim:(.*)$/s.exec(storage)?.[1];
  if (claim === undefined && storage !== "pvc" && storage !== "emptydir")
    throw read.wrongValue("storage", storage, "pvc, emptydir or claim:NAME");
  if (storageClass !== undefined && storage !== "pvc")
    throw read.usage(`--storage-class says nothing with --storage ${plain(storage, 300)}`);
  if (claim !== undefined) {
    if (size !== undefined)
      throw read.usage("--size says nothing of a claim that is there already");
    return { kind: "claim", name: read.objectName("storage", claim) };
  }
  const checked = size === undefined ? undefined : read.storageSize("size", size);
  if (storage === "emptydir") return { kind: "emptydir", size: checked };
  return {
    kind: "pvc",
    size: checked ?? "20Gi",
    storageClass: nameOf("storage-class", storageClass),
  };
}

/** How nodes reach the registry, and what it takes. */
function nodesOf(
  options: InstallOptions,
): Pick<InstallSettings, "nodeAccess" | "nodePort" | "nodePush" | "proxyImage"> {
  const { nodePort, nodePush = false, proxyImage } = options;
  const nodeAccess = nodeAccessOf(options.nodeAccess ?? "hostport");
  if (nodeAccess === "none") {
    const given = { "node-port": nodePort, "node-push": nodePush, "proxy-image": proxyImage };
    for (const [option, value] of Object.entries(given)) {
      if (value !== undefined && value !== false)
        throw read.usage(`--${option} says nothing with --node-access none`);
    }
  }
  // On the node's own network, a user other than root may take no lower one.
  const least = nodeAccess === "hostnetwork" ? 1024 : 1;
  return {
    nodeAccess,
    nodePort: read.integer("node-port", nodePort ?? 5000, [least, 65535]),
    nodePush,
    proxyImage: read.imageReference("proxy-image", proxyImage ?? "haproxy:3.2-alpine"),
  };
}

function nodeAccessOf(text: string): NodeAccess {
  if (text === "hostport" || text === "hostnetwork" || text === "none") return text;
  throw read.wrongValue("node-access", text, "hostport, hostnetwork or none");
}

function selectorOf(texts: readonly string[]): Record<string, string> {
  const selector = new Map<string, string>();
  for (const text of texts) {
    const [key, value] = read.labelPair("node-selector", text);
    const other = selector.get(key) ?? (key === osLabel ? "linux" : value);
    if (other !== value)
      throw read.usage(`--node-selector: no node has ${key}=${other} and =${value}`);
    selector.set(key, value);
  }
  return Object.fromEntries(selector);
}
