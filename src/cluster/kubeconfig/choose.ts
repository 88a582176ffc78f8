import { posix, win32 } from "node:path";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { ClusterOptions, Surroundings } from "../types.ts";
import type { MergedKubeconfig } from "./load.ts";
import { nearest } from "./nearest.ts";
import { invalid, quoted, type Entry } from "./parse.ts";
import { readCluster, type ClusterEntry } from "./cluster-entry.ts";
import { readUser, type UserEntry } from "./user-entry.ts";
import { text } from "../values.ts";

/** One context with the cluster and the user it names; paths in it are absolute. */
export interface ChosenContext {
  name: string;
  /** It is that of the pod which this process runs in. */
  inside?: true;
  namespace: string;
  cluster: ClusterEntry;
  user: UserEntry;
}

/**
 * Picks the context that the options name, else the current one.
 *
 * @throws KpushError `KUBECONFIG_NOT_FOUND`, `CONTEXT_NOT_FOUND` or `KUBECONFIG_INVALID`
 */
export function chooseContext(
  merged: MergedKubeconfig,
  options: ClusterOptions,
  { platform }: Pick<Surroundings, "platform">,
): ChosenContext {
  const context = contextEntry(merged, options.context);
  const resolve = (entry: Entry, path: string): string => {
    const paths = platform === "win32" ? win32 : posix;
    return paths.resolve(paths.dirname(entry.file), path);
  };
  const cluster = reference(merged, context, "cluster");
  const user = reference(merged, context, "user");
  return {
    name: context.name,
    namespace: text(context.fields["namespace"]) ?? "default",
    cluster: readCluster(cluster, (path) => resolve(cluster, path)),
    user: readUser(user, options, user && ((path) => resolve(user, path))),
  };
}

function contextEntry(merged: MergedKubeconfig, option: string | undefined): Entry {
  if (merged.found === 0) throw notFound(merged.files);
  const names = [...merged.contexts.keys()];
  const wanted = option ?? merged.currentContext;
  if (names.length === 0 && wanted === undefined) {
    throw new KpushError(
      "KUBECONFIG_INVALID",
      `the kubeconfig ${shown(merged.files)} is empty: it has no context`,
      {
        hint: "let your cluster's tool write it, or point --kubeconfig or KUBECONFIG at another file",
      },
    );
  }
  if (wanted === undefined) {
    throw new KpushError(
      "CONTEXT_NOT_FOUND",
      `the kubeconfig has no current context; it has ${listed(names)}`,
      {
        hint: `kubectl config use-context ${plain(names[0] ?? "NAME", 200)}, or --context NAME`,
      },
    );
  }
  const context = merged.contexts.get(wanted);
  if (context) return context;
  const has = names.length > 0 ? `; there is ${listed(names)}` : "";
  const near = nearest(wanted, names);
  throw new KpushError(
    "CONTEXT_NOT_FOUND",
    `the kubeconfig has no context ${quoted(wanted)}${has}`,
    {
      hint:
        near === undefined
          ? "kubectl config get-contexts lists them"
          : `did you mean --context ${plain(near, 200)}?`,
    },
  );
}

function reference(merged: MergedKubeconfig, context: Entry, key: "cluster"): Entry;
function reference(merged: MergedKubeconfig, context: Entry, key: "user"): Entry | undefined;
function reference(
  merged: MergedKubeconfig,
  context: Entry,
  key: "cluster" | "user",
): Entry | undefined {
  const name = text(context.fields[key]);
  if (name === undefined) {
    if (key === "user") return undefined; // a server without authentication, or a certificate by proxy
    throw invalid(context.file, `context ${quoted(context.name)} names no cluster`);
  }
  const entry = (key === "cluster" ? merged.clusters : merged.users).get(name);
  if (!entry)
    throw invalid(
      context.file,
      `context ${quoted(context.name)} names the ${key} ${quoted(name)}, which is not there`,
    );
  return entry;
}

function notFound(files: readonly string[]): KpushError {
  return new KpushError(
    "KUBECONFIG_NOT_FOUND",
    `there is no kubeconfig: ${shown(files)} does not exist`,
    {
      hint: "let your cluster's tool write it (kind export kubeconfig, aws eks update-kubeconfig, …), or use --kubeconfig FILE",
    },
  );
}

const shown = (files: readonly string[]): string =>
  files.map((file) => plain(file, 500)).join(", ") || "(none)";

function listed(names: readonly string[]): string {
  const first = names.slice(0, 8).map(quoted).join(", ");
  return names.length > 8 ? `${first} and ${names.length - 8} more` : first;
}
