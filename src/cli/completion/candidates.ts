import type { Surroundings } from "../../cluster/types.ts";
import { plain } from "../../image/text.ts";
import type { KnownNames, NameSources } from "../../push/known-names.ts";
import { isMany, type Command } from "../command.ts";
import { optionOf, variables, type OptionName } from "../options.ts";
import { scan, type Scanned } from "./scan.ts";

/** What can stand in place of the last word. */
export interface Candidates {
  all: { value: string; about?: string | undefined }[];
  /** A file may stand there too. */
  files: boolean;
}

/** Names from outside; none where they cannot be had. */
export type Ask = (kind: KnownNames, options: NameSources) => Promise<readonly string[]>;

/** Of options whose values are known; those like `yaml|json` say themselves what they take. */
const values: Partial<Record<OptionName, readonly string[]>> = {
  compression: ["auto", "none", "gzip", "zstd"],
  platform: ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x"],
  storage: ["pvc", "emptydir", "claim:"],
  "node-access": ["hostport", "hostnetwork", "none"],
  "allow-push": ["user:", "group:", "serviceaccount:"],
  host: ["unix://", "tcp://", "ssh://"],
};

const asked: Partial<Record<OptionName, KnownNames>> = {
  context: "context",
  namespace: "namespace",
  "allow-from": "namespace",
  "docker-context": "docker-context",
};

/**
 * What the last of `words` may become.
 *
 * @param commands - every command, `main` being what an image name alone runs
 */
export async function candidatesFor(
  words: readonly string[],
  { commands, main }: { commands: readonly Command[]; main: Command },
  { env }: Pick<Surroundings, "env">,
  ask: Ask,
): Promise<Candidates> {
  const current = words.at(-1) ?? "";
  const scanned = scan(words.slice(0, -1), commands);
  const command = scanned.command ?? main;
  const [, name, value] = /^--([a-z-]+)=(.*)$/s.exec(current) ?? [];
  const found = async (): Promise<Candidates> => {
    const before = command.options.find((one) => one === name);
    if (scanned.pending) return await ofOption(scanned.pending, scanned, env, ask);
    if (!scanned.ended && before !== undefined && value !== undefined) {
      const { all, files } = await ofOption(before, scanned, env, ask);
      return { all: all.map((one) => ({ ...one, value: `--${before}=${one.value}` })), files };
    }
    if (!scanned.ended && current.startsWith("-")) return ofFlags(command, scanned);
    return await ofWords(current, command, { scanned, commands, env, ask });
  };
  const { all, files } = await found();
  return {
    // A name with control characters would not be the name any more without them.
    all: all.filter(({ value: one }) => one.startsWith(current) && plain(one) === one),
    files,
  };
}

async function ofOption(
  name: OptionName,
  scanned: Scanned,
  env: Surroundings["env"],
  ask: Ask,
): Promise<Candidates> {
  const { value = "" } = optionOf(name);
  const kind = asked[name];
  const known = values[name] ?? (value.includes("|") ? value.split("|") : []);
  const names = kind === undefined ? known : await ask(kind, optionsOf(scanned, env));
  return { all: names.map((one) => ({ value: one })), files: value === "FILE" };
}

function ofFlags(command: Command, { command: named, given }: Scanned): Candidates {
  const names: OptionName[] = named ? [...command.options] : [...command.options, "version"];
  const open = names.filter((name) => !given.has(name) || isMany(name, command));
  return {
    all: open.map((name) => ({
      value: `--${name}`,
      about: command.help?.[name] ?? optionOf(name).help,
    })),
    files: false,
  };
}

async function ofWords(
  current: string,
  command: Command,
  {
    scanned,
    commands,
    env,
    ask,
  }: { scanned: Scanned; commands: readonly Command[]; env: Surroundings["env"]; ask: Ask },
): Promise<Candidates> {
  const { command: named, words } = scanned;
  const listed = commands.filter(({ reserved }) => !reserved);
  const first = named === undefined && words.length === 0;
  const all: Candidates["all"] = first
    ? listed.map(({ name, summary }) => ({ value: name, about: summary }))
    : (command.words ?? []).map((value) => ({ value }));
  if (!command.takesImages) return { all, files: false };
  const isPath = /^(\.{0,2}\/|oci:|~)/.test(current);
  const images = isPath ? [] : await ask("image", optionsOf(scanned, env));
  // Podman calls its own so; nobody has to type it.
  const names = images.map((name) =>
    current.startsWith("localhost/") ? name : name.replace(/^localhost\//, ""),
  );
  return { all: [...all, ...names.map((value) => ({ value }))], files: true };
}

/** Which cluster and which engine the command line means so far. */
function optionsOf({ given }: Scanned, env: Surroundings["env"]): NameSources {
  const text = (option: OptionName) => {
    const variable = variables.find((one) => one.option === option)?.variable;
    return given.get(option) ?? ((variable && env[variable]) || undefined);
  };
  const group = text("as-group");
  const isChosen = given.has("host") || given.has("docker-context");
  const engine = (option: "host" | "docker-context") =>
    isChosen ? given.get(option) : text(option);
  return {
    kubeconfig: text("kubeconfig"),
    context: text("context"),
    as: text("as"),
    asGroup: group === undefined ? [] : [group],
    asUid: text("as-uid"),
    host: engine("host"),
    dockerContext: engine("docker-context"),
  };
}
