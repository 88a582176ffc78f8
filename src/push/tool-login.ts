import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { pathsOf } from "../engine/endpoint.ts";
import { diskError, temporaryParent } from "./archive/temp.ts";
import { writeLoginHelper, type Login } from "./login-helper.ts";
import { isConfig, readOwnConfigs, type Config, type Place } from "./tool-configs.ts";

/** Variables for a tool that is to find the login of a tunnel; disposing removes the files behind them. */
export interface ToolLogin extends AsyncDisposable {
  /**
   * KPUSH_REGISTRY (`127.0.0.1:PORT`), DOCKER_CONFIG, REGISTRY_AUTH_FILE and HELM_REGISTRY_CONFIG; PATH, where a
   * credential helper of ours stands before the user's own.
   */
  readonly variables: Readonly<Record<string, string>>;
  /** Removes the files at once, for a process that is about to end. */
  readonly removeNow: () => void;
}

/**
 * Writes the login where docker and crane (DOCKER_CONFIG), skopeo and podman (REGISTRY_AUTH_FILE), helm and oras
 * (HELM_REGISTRY_CONFIG, DOCKER_CONFIG) look for one, in a private temporary directory. What the user's own
 * files say of other registries stays true there, and what else lies in docker's directory is linked to.
 *
 * @throws KpushError `LOCAL_DISK`
 */
export async function openToolLogin(login: Login, place: Place): Promise<ToolLogin> {
  const { env, platform } = place;
  const { join } = pathsOf(platform);
  const own = await readOwnConfigs(place);
  const parent = temporaryParent(env) ?? tmpdir();
  const directory = await mkdtemp(join(parent, "kpush-login-")).catch((error: unknown) => {
    throw diskError(error, parent);
  });
  const [docker, bin] = [join(directory, "docker"), join(directory, "bin")];
  const helpers = new Map<string, string | undefined>();
  /** The helper for a store, written when first asked for. */
  const helperFor = async (store: string) => {
    // A shell script, and a name that needs no quoting in it.
    if (platform === "win32" || !/^[\w.-]+$/.test(store)) return undefined;
    if (!helpers.has(store)) helpers.set(store, await writeLoginHelper(bin, store, login));
    return helpers.get(store);
  };
  const write = async (file: string, config: Config) => {
    const text = JSON.stringify(await withLogin(config, login, helperFor));
    await writeFile(file, `${text}\n`, { mode: 0o600, flag: "wx" });
    return file;
  };
  try {
    for (const made of [docker, bin]) await mkdir(made, { mode: 0o700 });
    await write(join(docker, "config.json"), own.docker);
    await linkAll(own.dockerDirectory, docker, join);
    const variables = {
      KPUSH_REGISTRY: registryOf(login),
      DOCKER_CONFIG: docker,
      REGISTRY_AUTH_FILE: await write(join(directory, "auth.json"), own.containers),
      HELM_REGISTRY_CONFIG: await write(join(directory, "helm.json"), own.helm),
      ...([...helpers.values()].some(Boolean) && { PATH: `${bin}:${env["PATH"] ?? ""}` }),
    };
    return {
      variables,
      removeNow: () => rmSync(directory, { recursive: true, force: true }),
      [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw diskError(error, directory);
  }
}

const registryOf = ({ port }: Login) => `127.0.0.1:${port}`;

/** Contexts, builders, plugins, certificates: all but the file of logins. What cannot be linked is left out. */
async function linkAll(from: string, to: string, join: (...parts: string[]) => string) {
  const names = await readdir(from).catch((): string[] => []);
  for (const name of names.filter((each) => each !== "config.json")) {
    const target = join(from, name);
    const there = await stat(target).catch(() => undefined);
    const kind = there?.isDirectory() ? "junction" : "file"; // which matters on Windows only
    if (there) await symlink(target, join(to, name), kind).catch(() => undefined);
  }
}

/**
 * Adds a login. A store of all credentials (`credsStore`) would be asked for this one too, and has none: a helper of
 * ours takes its place. Where there can be none, the store becomes the helper of each registry that the file
 * says it has a login for, as docker notes them.
 */
async function withLogin(
  config: Config,
  login: Login,
  helperFor: (store: string) => Promise<string | undefined>,
): Promise<Config> {
  const { credsStore, ...rest } = config;
  const registry = registryOf(login);
  const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64");
  const known = isConfig(config["auths"]) ? config["auths"] : {};
  const helpers: Config = isConfig(config["credHelpers"]) ? { ...config["credHelpers"] } : {};
  const store = typeof credsStore === "string" && credsStore !== "" ? credsStore : undefined;
  const helper = store && (await helperFor(store));
  // Named for this registry too, since docker asks the store which ones it has.
  if (helper) helpers[registry] = helper;
  else if (store) for (const name of Object.keys(known)) helpers[name] ??= store;
  return {
    ...rest,
    auths: { ...known, [registry]: { auth } },
    ...(Object.keys(helpers).length > 0 && { credHelpers: helpers }),
    ...(helper && { credsStore: helper }),
  };
}
