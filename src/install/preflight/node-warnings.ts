import type { InstallSettings } from "../types.ts";
import { names, proxyNodes, type NodeFacts } from "./nodes.ts";

/** Something that the user should know, and what helps. */
export interface Warning {
  message: string;
  hint?: string;
}

/** What is to be said of the nodes before they get a proxy. */
export function nodeWarnings(
  nodes: readonly NodeFacts[],
  settings: Pick<InstallSettings, "nodeAccess" | "nodeSelector" | "nodePort">,
): Warning[] {
  if (settings.nodeAccess === "none") return [];
  const warnings: Warning[] = [];
  const passed = nodes.filter(({ linux }) => !linux);
  if (passed.length > 0)
    warnings.push({
      message: `nodes that are not Linux are passed over, and cannot pull from the registry: ${names(passed)}`,
    });
  const strict = proxyNodes(nodes, settings).filter(({ runtime }) => refusesPlainHttp(runtime));
  if (strict.length > 0) warnings.push(registriesConf(strict, settings.nodePort));
  return warnings;
}

/**
 * CRI-O took loopback addresses as insecure registries until 1.34, and pulls nothing by plain HTTP
 * from 1.35 on (cri-o/cri-o commit 93f9201606).
 */
function refusesPlainHttp(runtime: string): boolean {
  const [, major, minor] = /^cri-o:\/\/v?(\d+)\.(\d+)/.exec(runtime) ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 35);
}

function registriesConf(nodes: readonly NodeFacts[], port: number): Warning {
  const entry = String.raw`[[registry]]\nlocation = "localhost:${port}"\ninsecure = true\n`;
  return {
    message: `CRI-O 1.35 and later pulls from localhost:${port} only where its registries.conf allows plain HTTP: ${names(nodes)}`,
    hint: `run on each of these nodes: printf '${entry}' | sudo tee /etc/containers/registries.conf.d/kpush.conf && sudo systemctl reload crio`,
  };
}
