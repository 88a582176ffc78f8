import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { Surroundings } from "../cluster/types.ts";
import { pathsOf } from "../engine/endpoint.ts";
import type { Listener } from "../tunnel/types.ts";
import { diskError } from "./archive/temp.ts";

/** Variables for a tool that is to find the login of a tunnel; disposing removes the files behind them. */
export interface ToolLogin extends AsyncDisposable {
  /** KPUSH_REGISTRY (`127.0.0.1:PORT`), DOCKER_CONFIG, REGISTRY_AUTH_FILE and HELM_REGISTRY_CONFIG. */
  readonly variables: Readonly<Record<string, string>>;
  /** Removes the files at once, for a process that is about to end. */
  readonly removeNow: () => void;
}

type Config = Record<string, unknown>;
type Place = Pick<Surroundings, "env" | "home" | "cwd" | "platform">;

/**
 * Writes the login where docker and crane (DOCKER_CONFIG), skopeo and podman (REGISTRY_AUTH_FILE), helm and oras
 * (HELM_REGISTRY_CONFIG, DOCKER_CONFIG) look for one, in a private temporary directory. What the user's own
 * files say of other registries stays true there.
 *
 * @throws KpushError `LOCAL_DISK`
 */
export async function openToolLogin(
  { port, username, password }: Pick<Listener, "port" | "username" | "password">,
  place: Place,
): Promise<ToolLogin> {
  const { env, platform } = place;
  const { join } = pathsOf(platform);
  const registry = `127.0.0.1:${port}`;
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  const own = ownFiles(place);
  const parent = env["TMPDIR"] || tmpdir();
  const directory = await mkdtemp(join(parent, "kpush-login-")).catch((error: unknown) => {
    throw diskError(error, parent);
  });
  const close = () => rm(directory, { recursive: true, force: true });
  const write = async (name: string, from: string | undefined) => {
    const config = withLogin(await readConfig(from), registry, auth);
    const file = join(directory, name);
    await writeFile(file, `${JSON.stringify(config)}\n`, { mode: 0o600, flag: "wx" });
    return file;
  };
  try {
    const docker = join(directory, "docker");
    await mkdir(docker, { mode: 0o700 });
    await write(join("docker", "config.json"), join(own.docker, "config.json"));
    for (const name of ["contexts", "cli-plugins"]) {
      const target = join(own.docker, name);
      const there = await stat(target).catch(() => undefined);
      if (there) await symlink(target, join(docker, name), "junction").catch(() => undefined);
    }
    const variables = {
      KPUSH_REGISTRY: registry,
      DOCKER_CONFIG: docker,
      REGISTRY_AUTH_FILE: await write("auth.json", own.containers),
      HELM_REGISTRY_CONFIG: await write("helm.json", own.helm),
    };
    const removeNow = () => rmSync(directory, { recursive: true, force: true });
    return { variables, removeNow, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw diskError(error, directory);
  }
}

/** Where docker, containers-auth.json(5) and helm keep the user's logins. */
function ownFiles({ env, home, cwd, platform }: Place) {
  const { join, resolve } = pathsOf(platform);
  const usual =
    platform === "darwin"
      ? join(home, "Library", "Preferences")
      : env["APPDATA"] || join(home, ".config");
  const helm = env["HELM_CONFIG_HOME"] || join(env["XDG_CONFIG_HOME"] || usual, "helm");
  const runtime = env["XDG_RUNTIME_DIR"];
  return {
    // A link to a relative path would lead from the link's own place.
    docker: resolve(cwd, env["DOCKER_CONFIG"] || join(home, ".docker")),
    containers:
      env["REGISTRY_AUTH_FILE"] || (runtime ? join(runtime, "containers", "auth.json") : undefined),
    helm: env["HELM_REGISTRY_CONFIG"] || join(helm, "registry", "config.json"),
  };
}

/** A file that is not there, or is none of this kind, says nothing; the tool itself would tell. */
async function readConfig(file: string | undefined): Promise<Config> {
  try {
    const config: unknown = JSON.parse(await readFile(file ?? "", "utf8"));
    return isConfig(config) ? config : {};
  } catch {
    return {};
  }
}

/**
 * Adds a login. A store of all credentials (`credsStore`) would be asked for this one too, and has none: it
 * becomes the helper of each registry that the file says it has a login for, as docker notes them.
 */
function withLogin(config: Config, registry: string, auth: string): Config {
  const { credsStore, auths, credHelpers, ...rest } = config;
  const known = isConfig(auths) ? auths : {};
  const stored = typeof credsStore === "string" ? Object.keys(known) : [];
  const helpers = {
    ...Object.fromEntries(stored.map((host) => [host, credsStore])),
    ...(isConfig(credHelpers) && credHelpers),
  };
  return {
    ...rest,
    auths: { ...known, [registry]: { auth } },
    ...(Object.keys(helpers).length > 0 && { credHelpers: helpers }),
  };
}

function isConfig(value: unknown): value is Config {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
