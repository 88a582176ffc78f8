import { KpushError } from "../errors.ts";
import type { KpushEvent, RouteName } from "../events.ts";
import { shortStack } from "./short-stack.ts";

/** What kpush runs as. */
export interface Program {
  version: string;
  /** Directory of the package, absolute. */
  directory: string;
  /** `v22.12.0` */
  node: string;
  /** `linux x64 6.8.0` */
  system: string;
}

/**
 * Collects, while a command runs, what a report of a bug has to say of it: versions, kinds and choices.
 * No name of anything or anybody, no address and no secret gets in: what is told is one of a few known
 * words, or has the form of a version.
 */
export interface BugReport {
  take: (event: KpushEvent) => void;
  /** @param options - names of the options and variables given */
  command: (name: string, options: readonly string[]) => void;
  /** A block of Markdown, with its line break: to be pasted into an issue as it is. */
  text: (error: unknown) => string;
}

/** Starts a report. */
export function openBugReport(program: Program): BugReport {
  let command: string | undefined;
  const facts = new Map<Fact, string>();
  const routes = new Set<RouteName>();
  return {
    take(event) {
      if (event.type === "plan") routes.add(event.route);
      if (event.type !== "fact") return;
      const value = known[event.what].exec(event.value)?.[0];
      if (value !== undefined) facts.set(event.what, value);
    },
    command(name, options) {
      command = [`kpush ${name}`, ...options].join(" ");
    },
    text(error) {
      const { version, directory, node, system } = program;
      const lines: (readonly [string, string | undefined])[] = [
        ["kpush", `${version}, ${installedBy(directory)}`],
        ["node", `${node}, ${system}`],
        ["command", command],
        ["engine", together(facts, "engine", "store", "engine address")],
        ["registry", together(facts, "registry", "way")],
        ["route", routes.size > 0 ? [...routes].join(", ") : undefined],
        ["nodes", facts.get("nodes")],
      ];
      const told = lines.flatMap(([label, text]) =>
        text === undefined ? [] : [`${label.padEnd(10)}${text}`],
      );
      return `${["```text", ...told, ...causeLines(error, directory), "```"].join("\n")}\n`;
    },
  };
}

type Fact = Extract<KpushEvent, { type: "fact" }>["what"];

/** What a fact may say; the rest is not repeated, whoever reports it. */
const known: Record<Fact, RegExp> = {
  engine: /^(?:Docker|Podman) \d+(?:\.\d+){1,3}/,
  store: /^(?:graph|containerd|podman)$/,
  "engine address": /^(?:unix|npipe|tcp|http|https|ssh)$/,
  registry: /^(?:kpush|kube-registry|kube-registry-upstream|selector)$/,
  way: /^(?:port-forward|pods\/proxy|pod)$/,
  nodes: /^v\d+\.\d+\.\d+(?:[-+](?:gke|eks|k3s|rke2)[.\d+r]*)?/,
};

/** `Docker 28.5.2, containerd store, by unix` */
function together(facts: ReadonlyMap<Fact, string>, ...wanted: readonly Fact[]) {
  const texts = wanted.flatMap((what) => {
    const value = facts.get(what);
    if (value === undefined) return [];
    if (what === "store") return [`${value} store`];
    return [what === "engine address" || what === "way" ? `by ${value}` : value];
  });
  return texts.length > 0 ? texts.join(", ") : undefined;
}

function installedBy(directory: string): string {
  if (/[\\/]_npx[\\/]/.test(directory)) return "by npx";
  return /[\\/]node_modules[\\/]/.test(directory) ? "installed" : "from a checkout";
}

/** Class, code and frames of the error, and of its causes; not their messages, which name things. */
function causeLines(error: unknown, directory: string): string[] {
  const seen = new Set<unknown>();
  const lines: string[] = [];
  for (let one = error; !seen.has(one); one = one instanceof Error ? one.cause : undefined) {
    if (seen.size > 0 && (one === undefined || one === null)) break;
    const label = seen.size === 0 ? "error" : "cause";
    lines.push(`${label.padEnd(10)}${classOf(one)}`, ...shortStack(one, directory));
    seen.add(one);
  }
  return lines;
}

/** `TypeError`, `Error ECONNRESET`. `name` and `code` may be anything: the class is the program's own. */
function classOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { name } = error.constructor;
  const code: unknown = "code" in error ? error.code : undefined;
  const isKnown =
    error instanceof KpushError ||
    (typeof code === "string" && /^(?:E[A-Z0-9]+|(?:ERR|HPE|UV|Z|CERT)_[A-Z0-9_]+)$/.test(code));
  return isKnown ? `${name} ${String(code)}` : name;
}
