import { KpushError } from "../../errors.ts";
import type { ClusterOptions } from "../types.ts";
import { invalid, quoted, type Entry } from "./parse.ts";
import { list, mapping, text } from "../values.ts";

/** An exec credential plugin as the kubeconfig describes it. */
export interface ExecConfig {
  command: string;
  args: string[];
  env: { name: string; value: string }[];
  apiVersion: string;
  installHint: string | undefined;
  provideClusterInfo: boolean;
  interactiveMode: string;
}

/** Whom requests are made as; `user` is always there. */
export interface Impersonation {
  user: string;
  uid: string | undefined;
  groups: readonly string[];
  extra: Readonly<Record<string, readonly string[]>>;
}

/** How to log in; what a kubeconfig says of a user. */
export interface UserEntry {
  name: string;
  /** The kubeconfig that the user stands in; undefined in a cluster and without a user. */
  file: string | undefined;
  /** Base64 of PEM, as in the kubeconfig; goes before the file. */
  certificateData: string | undefined;
  certificateFile: string | undefined;
  keyData: string | undefined;
  keyFile: string | undefined;
  token: string | undefined;
  tokenFile: string | undefined;
  username: string | undefined;
  password: string | undefined;
  exec: ExecConfig | undefined;
  authProvider: { name: string; config: Record<string, unknown> } | undefined;
  impersonate: Impersonation | undefined;
}

/**
 * Reads a user of the kubeconfig by client-go's rules; without an entry, an anonymous one.
 *
 * @throws KpushError `KUBECONFIG_INVALID`, or `USAGE` for --as-group or --as-uid without --as
 */
export function readUser(
  entry: Entry | undefined,
  options: ClusterOptions,
  resolve: ((path: string) => string) | undefined,
): UserEntry {
  const fields = entry?.fields ?? {};
  const path = (key: string): string | undefined => {
    const value = text(fields[key]);
    return value === undefined || !resolve ? value : resolve(value);
  };
  const provider = mapping(fields["auth-provider"]);
  const providerName = text(provider["name"]);
  const user: UserEntry = {
    name: entry?.name ?? "",
    file: entry?.file,
    certificateData: text(fields["client-certificate-data"]),
    certificateFile: path("client-certificate"),
    keyData: text(fields["client-key-data"]),
    keyFile: path("client-key"),
    token: text(fields["token"]),
    tokenFile: path("tokenFile"),
    username: text(fields["username"]),
    password: text(fields["password"]),
    exec: fields["exec"] ? readExec(mapping(fields["exec"]), resolve) : undefined,
    authProvider:
      providerName === undefined
        ? undefined
        : { name: providerName, config: mapping(provider["config"]) },
    impersonate: impersonation(fields, options),
  };
  const contradiction = entry && contradictionIn(user);
  if (contradiction) throw invalid(entry.file, `user ${quoted(entry.name)} ${contradiction}`);
  return user;
}

function readExec(
  fields: Record<string, unknown>,
  resolve: ((path: string) => string) | undefined,
): ExecConfig {
  const command = text(fields["command"]) ?? "";
  // Only a path is relative to the kubeconfig; a bare name is looked for in PATH.
  const isPath = /[/\\]/.test(command);
  return {
    command: isPath && resolve ? resolve(command) : command,
    args: list(fields["args"]).map((arg) => text(arg) ?? ""),
    env: list(fields["env"])
      .map(mapping)
      .map(({ name, value }) => ({ name: text(name) ?? "", value: text(value) ?? "" })),
    apiVersion: text(fields["apiVersion"]) ?? "",
    installHint: text(fields["installHint"]),
    provideClusterInfo: fields["provideClusterInfo"] === true,
    interactiveMode: text(fields["interactiveMode"]) ?? "IfAvailable",
  };
}

/** As in kubectl, `--as` replaces the kubeconfig's user alone, and each other option its own field. */
function impersonation(
  fields: Record<string, unknown>,
  options: ClusterOptions,
): Impersonation | undefined {
  const user = options.as ?? text(fields["as"]);
  const uid = options.asUid ?? text(fields["as-uid"]);
  const groups = options.asGroup?.length
    ? options.asGroup
    : list(fields["as-groups"]).flatMap((group) => text(group) ?? []);
  const extra = Object.fromEntries(
    Object.entries(mapping(fields["as-user-extra"])).map(([key, values]) => [
      key,
      list(values).flatMap((value) => text(value) ?? []),
    ]),
  );
  if (user !== undefined) return { user, uid, groups, extra };
  if (uid === undefined && groups.length === 0 && Object.keys(extra).length === 0) return undefined;
  throw new KpushError(
    "USAGE",
    "a uid, groups or extra fields to impersonate need a user to impersonate",
    {
      hint: "add --as USER",
    },
  );
}

function contradictionIn(user: UserEntry): string | undefined {
  if ((user.token ?? user.tokenFile) !== undefined && user.username !== undefined) {
    return "has a token and a username; there can be only one";
  }
  if (user.exec && user.authProvider)
    return "has an exec plugin and an auth-provider; there can be only one";
  if (user.exec && user.exec.command === "") return "has an exec plugin without a command";
  const certificate = user.certificateData ?? user.certificateFile;
  const key = user.keyData ?? user.keyFile;
  if (certificate !== undefined && key === undefined)
    return "has a client certificate without its key";
  return undefined;
}
