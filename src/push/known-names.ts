import { readdirSync } from "node:fs";
import { contextNames, namespaceNames } from "../cluster/names.ts";
import type { ClusterOptions, Surroundings } from "../cluster/types.ts";
import { contextNames as dockerContextNames } from "../engine/docker-context.ts";
import { fileSystem } from "../engine/files.ts";
import { listImageNames } from "../engine/list.ts";
import type { EngineOptions } from "../engine/types.ts";

/** What a shell's completion can ask for. */
export type KnownNames = "context" | "namespace" | "docker-context" | "image";

/** Which cluster and which engine are asked for them. */
export type NameSources = ClusterOptions & EngineOptions;

/**
 * Names that the user may mean, from the kubeconfig, the cluster, docker's files or the engine. Plugins and
 * ssh cannot ask anything meanwhile.
 *
 * @throws where they cannot be had, whatever the reason
 */
export async function knownNames(
  kind: KnownNames,
  options: NameSources,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<string[]> {
  const silent: Surroundings = {
    ...surroundings,
    pluginStdin: "ignore",
    pluginStderr: () => undefined,
  };
  switch (kind) {
    case "context":
      return await contextNames(options, silent);
    case "namespace":
      return await namespaceNames(options, silent, signal);
    case "docker-context":
      return ["default", ...dockerContextNames({ ...silent, files: fileSystem }, namesIn)];
    case "image":
      return await listImageNames(options, silent, signal);
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
