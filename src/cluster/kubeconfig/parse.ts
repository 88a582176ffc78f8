import { FAILSAFE_SCHEMA, loadAll, Type, YAMLException } from "js-yaml";
import { KpushError, messageOf } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import { list, mapping, text } from "../values.ts";

/** A cluster, user or context as one file has it. */
export interface Entry {
  name: string;
  /** Absolute path of the file it stands in: relative paths start from there. */
  file: string;
  fields: Record<string, unknown>;
}

/** What one kubeconfig file holds. */
export interface Kubeconfig {
  currentContext: string | undefined;
  clusters: Entry[];
  users: Entry[];
  contexts: Entry[];
}

// Numbers stay text: a token or a context called 1e5 must not become 100000.
const schema = FAILSAFE_SCHEMA.extend({
  implicit: [
    scalar("null", /^(~|null|Null|NULL|)$/, () => null),
    scalar(
      "bool",
      /^(true|True|TRUE|false|False|FALSE)$/,
      (value) => value.toLowerCase() === "true",
    ),
    scalar("merge", /^<<$/, (value) => value),
  ],
});

/**
 * Reads one kubeconfig, YAML or JSON. As for kubectl an empty file is one without entries, and of
 * several documents the first counts.
 *
 * @param file - absolute path, for messages and for relative paths
 * @throws KpushError `KUBECONFIG_INVALID` with file and line
 */
export function parseKubeconfig(source: string, file: string): Kubeconfig {
  const document = parseDocument(source, file);
  if (document !== undefined && document !== null && !isMapping(document)) {
    throw invalid(file, "it is not a mapping");
  }
  const root = mapping(document);
  const kind = text(root["kind"]);
  if (kind !== undefined && kind !== "Config")
    throw invalid(file, `its kind is ${plain(kind, 60)}, not Config`);
  return {
    currentContext: text(root["current-context"]),
    clusters: entries(root, "clusters", "cluster", file),
    users: entries(root, "users", "user", file),
    contexts: entries(root, "contexts", "context", file),
  };
}

function parseDocument(source: string, file: string): unknown {
  const trimmed = source.trimStart();
  if (trimmed.startsWith("{")) {
    try {
      return JSON.parse(trimmed);
    } catch {
      // A YAML flow mapping begins like this too; its parser names the line as well.
    }
  }
  try {
    // `json` lets the last of two equal keys win, as in kubectl.
    return loadAll(source, null, { schema, json: true })[0];
  } catch (error) {
    if (!(error instanceof YAMLException)) throw invalid(file, messageOf(error), error);
    const { mark, reason } = error as { mark?: { line: number }; reason?: string };
    throw invalid(mark ? `${file}, line ${mark.line + 1}` : file, reason ?? "it is no YAML", error);
  }
}

function scalar(tag: string, pattern: RegExp, construct: (value: string) => unknown): Type {
  return new Type(`tag:yaml.org,2002:${tag}`, {
    kind: "scalar",
    resolve: (value: string | null) => pattern.test(value ?? ""),
    construct: (value: string | null) => construct(value ?? ""),
  });
}

function entries(root: Record<string, unknown>, key: string, inner: string, file: string): Entry[] {
  const value = root[key];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(file, `${key} is not a list`);
  const names = new Set<string>();
  return list(value).map((item, index) => {
    const fields = mapping(item);
    const name = text(fields["name"]) ?? "";
    if (!isMapping(item)) throw invalid(file, `${key}[${index}] is not a mapping`);
    if (names.has(name)) throw invalid(file, `${key} has ${quoted(name)} twice`);
    names.add(name);
    return { name, file, fields: mapping(fields[inner]) };
  });
}

function isMapping(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A name of the kubeconfig in quotes, safe to show. */
export function quoted(name: string): string {
  return `"${plain(name, 200)}"`;
}

/** The error for a kubeconfig that cannot be used as it stands. */
export function invalid(where: string, why: string, cause?: unknown): KpushError {
  return new KpushError(
    "KUBECONFIG_INVALID",
    `the kubeconfig ${plain(where, 500)} is invalid: ${plain(why, 500)}`,
    {
      hint: "kubectl config view shows how kubectl reads it",
      cause,
    },
  );
}
