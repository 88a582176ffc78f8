import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import type { Surroundings } from "../cluster/types.ts";
import { pathsOf } from "../engine/endpoint.ts";

/** What a file of logins holds, in the form that docker gave it. */
export type Config = Record<string, unknown>;

/** What the places of a user's files depend on. */
export type Place = Pick<Surroundings, "env" | "home" | "cwd" | "platform">;

/** The user's own logins. */
export interface OwnConfigs {
  /** Absolute; there or not. */
  dockerDirectory: string;
  docker: Config;
  /** Of podman, skopeo and buildah: of all the files that they would look into. */
  containers: Config;
  helm: Config;
}

/** Reads what docker, containers-auth.json(5) and helm know of registries. */
export async function readOwnConfigs(place: Place): Promise<OwnConfigs> {
  const { env, home, cwd, platform } = place;
  const { join, resolve } = pathsOf(platform);
  // A link to a relative path would lead from the link's own place.
  const dockerDirectory = resolve(cwd, env["DOCKER_CONFIG"] || join(home, ".docker"));
  const docker = await readConfig(join(dockerDirectory, "config.json"));
  const files = containersFiles(place);
  const configs = await Promise.all(files.map(readConfig));
  // They go on to docker's file only where none of theirs was chosen.
  if (!env["REGISTRY_AUTH_FILE"]) configs.push(docker);
  const containers = mergeConfigs(configs.filter((config) => config !== undefined));
  const usual =
    platform === "darwin"
      ? join(home, "Library", "Preferences")
      : env["APPDATA"] || join(home, ".config");
  const helm = env["HELM_CONFIG_HOME"] || join(env["XDG_CONFIG_HOME"] || usual, "helm");
  const helmFile = env["HELM_REGISTRY_CONFIG"] || join(helm, "registry", "config.json");
  return {
    dockerDirectory,
    // As crane does where docker has no file.
    docker: docker ?? containers,
    containers,
    helm: (await readConfig(helmFile)) ?? {},
  };
}

/** In the order in which containers-auth.json(5) looks into them. */
function containersFiles({ env, home, platform }: Place): string[] {
  const { join } = pathsOf(platform);
  if (env["REGISTRY_AUTH_FILE"]) return [env["REGISTRY_AUTH_FILE"]];
  const runtime = env["XDG_RUNTIME_DIR"]
    ? join(env["XDG_RUNTIME_DIR"], "containers")
    : join("/run/containers", String(userInfo().uid));
  const directories = [join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "containers")];
  if (platform === "linux") directories.unshift(runtime);
  return directories.map((directory) => join(directory, "auth.json"));
}

/** Undefined for a file that is not there, or is none of this kind: the tool itself would tell. */
async function readConfig(file: string): Promise<Config | undefined> {
  try {
    const config: unknown = JSON.parse(await readFile(file, "utf8"));
    return isConfig(config) ? config : undefined;
  } catch {
    return undefined;
  }
}

/** One file for several: what an earlier one says of a registry, or of a path of it, hides what later ones say. */
function mergeConfigs(configs: readonly Config[]): Config {
  const auths: Config = {};
  const credHelpers: Config = {};
  for (const config of configs) {
    const known = [...Object.keys(auths), ...Object.keys(credHelpers)];
    const isHidden = (name: string) =>
      known.some((key) => key === name || name.startsWith(`${key}/`));
    for (const [field, merged] of [
      ["auths", auths],
      ["credHelpers", credHelpers],
    ] as const) {
      const entries = Object.entries(isConfig(config[field]) ? config[field] : {});
      for (const [name, value] of entries) if (!isHidden(name)) merged[name] = value;
    }
  }
  return { auths, ...(Object.keys(credHelpers).length > 0 && { credHelpers }) };
}

/** Whether this is an object of JSON. */
export function isConfig(value: unknown): value is Config {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
