import { answerMessage } from "../../cluster/api.ts";
import type { KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { mapping, text } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { Written } from "./conflicts.ts";
import { roleText, rulesFor } from "./grant.ts";

const role = "kpush-install";

/**
 * Makes the one error for all that is forbidden: what is missing, and as a hint the commands by which
 * an administrator grants just what installing these objects takes.
 *
 * @param objects - all that is to be applied
 * @param forbidden - those of them that were refused
 */
export async function explainForbiddenInstall(
  cluster: Cluster,
  objects: readonly KubeObject[],
  forbidden: readonly Written[],
  signal?: AbortSignal,
): Promise<KpushError> {
  const namespace = namespaceOf(objects);
  const user = await whoAmI(cluster, signal);
  const commands = grantCommands(objects, namespace, user);
  return new KpushError(
    "CLUSTER_FORBIDDEN",
    `you may not ${missingRights(forbidden)}, in context ${plain(cluster.context, 200)} as ${user === undefined ? "the user of the kubeconfig" : plain(user, 200)}`,
    {
      hint: `an administrator can run kpush install in your place, or allow you to by:\n${commands.join("\n")}`,
    },
  );
}

/** The commands, for an administrator's shell. */
function grantCommands(
  objects: readonly KubeObject[],
  namespace: string,
  user: string | undefined,
): string[] {
  const made = objects.find(({ kind }) => kind === "Namespace");
  const levels = Object.entries(made?.metadata.labels ?? {})
    .filter(([key]) => key.startsWith("pod-security.kubernetes.io/"))
    .map(([key, value]) => `${key}=${value}`);
  return [
    ...(made ? [`kubectl create namespace ${namespace}`] : []),
    ...(levels.length > 0
      ? [`kubectl label namespace ${namespace} --overwrite ${levels.join(" ")}`]
      : []),
    `kubectl apply -n ${namespace} -f - <<'END'\n${roleText(role, rulesFor(objects))}\nEND`,
    `kubectl create rolebinding ${role} -n ${namespace} --role=${role} ${subject(user)}`,
  ];
}

function subject(user: string | undefined): string {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user ?? "") ?? [];
  if (namespace !== undefined && name !== undefined) return `--serviceaccount=${namespace}:${name}`;
  if (user === undefined) return "--user=YOU";
  return /^[\w@.:-]+$/.test(user)
    ? `--user=${user}`
    : `--user='${plain(user, 500).replaceAll("'", `'\\''`)}'`;
}

function namespaceOf(objects: readonly KubeObject[]): string {
  const inside = objects.find(({ metadata }) => metadata.namespace !== undefined);
  return inside?.metadata.namespace ?? objects[0]?.metadata.name ?? "";
}

/** `patch namespaces, nor create services, deployments in namespace NS`, by the authorizer's words. */
function missingRights(forbidden: readonly Written[]): string {
  const byVerb = new Map<string, Set<string>>();
  for (const { answer, object } of forbidden) {
    const message = answerMessage(answer);
    const [, verb = "apply", resource = `${object.kind} (${message})`] =
      / cannot (\S+) resource "([^"]+)"/.exec(message) ?? [];
    const key = `${verb} ${object.metadata.namespace ?? ""}`;
    byVerb.set(key, (byVerb.get(key) ?? new Set()).add(resource));
  }
  const clauses = [...byVerb].map(([key, resources]) => {
    const [verb = "", namespace = ""] = key.split(" ");
    const where = namespace === "" ? "" : ` in namespace ${namespace}`;
    return `${verb} ${[...resources].join(", ")}${where}`;
  });
  return clauses.join(", nor ");
}

/** The name that the server knows the user by; undefined where it does not tell (before 1.27). */
async function whoAmI(cluster: Cluster, signal?: AbortSignal): Promise<string | undefined> {
  for (const version of ["v1", "v1beta1"]) {
    const apiVersion = `authentication.k8s.io/${version}`;
    const answer = await cluster.request("POST", `/apis/${apiVersion}/selfsubjectreviews`, {
      body: { apiVersion, kind: "SelfSubjectReview" },
      signal,
    });
    const { userInfo } = mapping(mapping(answer.json)["status"]);
    const name = text(mapping(userInfo)["username"]);
    if (name !== undefined) return name;
  }
  return undefined;
}
