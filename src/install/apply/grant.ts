import { groupOf, resourceOf, type KubeObject } from "../../cluster/objects.ts";
import { list, mapping } from "../../cluster/values.ts";

/** One rule of a Role. */
export interface Rule {
  apiGroup: string;
  resource: string;
  verbs: readonly string[];
}

const all = ["get", "list", "create", "patch", "delete"];

/** A claim holds data: install never deletes one. The Secret is made once, and not read. */
const verbsOf = (kind: string) =>
  kind === "PersistentVolumeClaim"
    ? ["get", "list", "create", "patch"]
    : kind === "Secret"
      ? ["create"]
      : all;

/** What it takes to see how the registry starts, and to prove a push and a pull on each node. */
const watching: Rule[] = [
  { apiGroup: "", resource: "events", verbs: ["list"] },
  { apiGroup: "apps", resource: "replicasets", verbs: ["list"] },
  { apiGroup: "", resource: "pods", verbs: ["get", "list", "create", "delete"] },
  { apiGroup: "", resource: "pods/portforward", verbs: ["get", "create"] },
];

/** Just the rights, within the namespace, that installing these objects takes. */
export function rulesFor(objects: readonly KubeObject[]): Rule[] {
  const own = objects
    .filter(({ kind }) => kind !== "Namespace")
    .map(({ apiVersion, kind }) => ({
      apiGroup: groupOf(apiVersion),
      resource: resourceOf(kind),
      verbs: verbsOf(kind),
    }));
  // Nobody may grant what they do not have: the Roles' own rights are needed too.
  const granted = objects.filter(({ kind }) => kind === "Role").flatMap(rulesOf);
  return merged([...own, ...watching, ...granted]);
}

function rulesOf({ rules }: KubeObject): Rule[] {
  return list(rules).flatMap((rule) => {
    const { apiGroups, resources, verbs } = mapping(rule);
    return list(apiGroups).flatMap((group) =>
      list(resources).map((resource) => ({
        apiGroup: String(group),
        resource: String(resource),
        verbs: list(verbs).map(String),
      })),
    );
  });
}

function merged(rules: readonly Rule[]): Rule[] {
  const byResource = new Map<string, Rule>();
  for (const { apiGroup, resource, verbs } of rules) {
    const key = `${apiGroup}/${resource}`;
    const before = byResource.get(key)?.verbs ?? [];
    byResource.set(key, { apiGroup, resource, verbs: [...new Set([...before, ...verbs])] });
  }
  return [...byResource.values()];
}

/** The Role as YAML, one line for each set of verbs in an API group. */
export function roleText(name: string, rules: readonly Rule[]): string {
  const lines = new Map<string, { apiGroup: string; verbs: string; resources: string[] }>();
  for (const { apiGroup, resource, verbs } of rules) {
    const key = `${apiGroup}/${verbs.join()}`;
    const line = lines.get(key) ?? { apiGroup, verbs: verbs.join(", "), resources: [] };
    line.resources.push(resource);
    lines.set(key, line);
  }
  return [
    "apiVersion: rbac.authorization.k8s.io/v1",
    "kind: Role",
    `metadata: {name: ${name}}`,
    "rules:",
    ...[...lines.values()].map(
      ({ apiGroup, verbs, resources }) =>
        `- {apiGroups: ["${apiGroup}"], resources: [${resources.join(", ")}], verbs: [${verbs}]}`,
    ),
  ].join("\n");
}
