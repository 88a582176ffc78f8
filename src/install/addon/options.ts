import { mapping } from "../../cluster/values.ts";
import { keepStorage, type Installed } from "../installed.ts";
import { annotations } from "../names.ts";
import type { InstallOptions } from "../types.ts";
import type { Addon } from "./find.ts";
import { templateOf } from "./templates.ts";

/**
 * The options with what the old addon has where they leave it out: its namespace, its claim, its port
 * on the nodes, and its user unless that was root: the new registry first tries to do without.
 */
export function optionsAfter<T extends InstallOptions>(
  addon: Addon,
  installed: Installed,
  options: T,
): T {
  const { namespace, store, memory, user } = addon;
  const claim = store?.kind === "claim" ? `claim:${store.name}` : undefined;
  const kept = keepStorage({ ...options, storage: options.storage ?? claim }, installed);
  const isHostNetwork =
    memory.hostNetwork ||
    (installed.proxies && templateOf(installed.proxies).spec["hostNetwork"] === true);
  return {
    ...options,
    ...kept,
    namespace,
    runAsUser: kept.runAsUser ?? (user === 0 ? undefined : user),
    nodeAccess: options.nodeAccess ?? (isHostNetwork ? "hostnetwork" : undefined),
    nodePort: options.nodePort ?? memory.nodePort ?? installedPort(installed),
  };
}

/** The port that an earlier run took over. */
function installedPort({ deployment }: Installed): number | undefined {
  const { metadata } = mapping(mapping(deployment?.["spec"])["template"]);
  const address = mapping(mapping(metadata)["annotations"])[annotations.pullAddress];
  const port = /^localhost:(\d+)$/.exec(String(address))?.[1];
  return port === undefined ? undefined : Number(port);
}
