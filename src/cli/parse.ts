import yargs from "yargs";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { isMany, isSwitch, type Command } from "./command.ts";
import { nearest } from "./nearest.ts";
import { optionNames, optionOf, type OptionName } from "./options.ts";
import type { Given } from "./values.ts";

/** A command line, taken apart but not judged by its values. */
export interface Parsed {
  command: Command;
  /** The command was named, and not only an image. */
  named: boolean;
  words: string[];
  given: Given;
}

/**
 * Takes the command line apart. The first word that is no option names the command; where it names
 * none, it is an image for `fallback`.
 *
 * @throws KpushError `USAGE`
 */
export function parse(
  argv: readonly string[],
  commands: readonly Command[],
  fallback: Command,
): Parsed {
  const found = readWith(argv, commands, fallback);
  const words = found.values["_"] as string[];
  if (found.named) words.shift();
  const { command, named } = found;
  // Nobody knows yet what a reserved word will take.
  if (command.reserved) return { command, named, words, given: new Map() };
  checkSwitches(argv, command);
  const given = readGiven(found.values, command);
  if (command.takesCommand)
    return { command, named, words: commandOf(argv, words, command), given };
  if (words.length > 0 && !command.takesImages && !command.words) throw noWords(words, command);
  return { command, named, words, given };
}

interface Found {
  command: Command;
  named: boolean;
  values: Record<string, unknown>;
}

/** Yargs finds the command and takes options and words apart; what they mean is not left to it. */
function readWith(argv: readonly string[], commands: readonly Command[], fallback: Command): Found {
  let found: Found | undefined;
  const parser = yargs()
    .help(false)
    .version(false)
    .exitProcess(false)
    .detectLocale(false)
    .fail((message, error) => {
      throw error instanceof Error ? error : new KpushError("USAGE", message);
    })
    .parserConfiguration({
      "boolean-negation": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "greedy-arrays": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "strip-aliased": true,
    })
    .string("_")
    .options(Object.fromEntries(optionNames.map((name) => [name, yargsOption(name)])));
  for (const command of commands) {
    parser.command({
      command: command === fallback ? [command.name, "$0"] : command.name,
      handler: (values: Record<string, unknown>) => {
        const [first] = values["_"] as string[];
        found = { command, named: first === command.name, values };
      },
    });
  }
  parser.parseSync(spellOut(argv));
  if (found) return found;
  throw new Error("yargs chose no command");
}

function yargsOption(name: OptionName) {
  const { short, value } = optionOf(name);
  const type = value === undefined ? "boolean" : "string";
  return { type, ...(short !== undefined && { alias: short }) } as const;
}

/**
 * `-nNAME` is `-n NAME`, as kubectl and docker read it; yargs would take it for five switches. And
 * `--dry-run` is `--dry-run=client`, whatever follows it.
 */
function spellOut(argv: readonly string[]): string[] {
  const end = beforeDashes(argv).length;
  const withValue = optionNames.flatMap((name) => {
    const { short, value } = optionOf(name);
    return short !== undefined && value !== undefined ? [short] : [];
  });
  const pattern = new RegExp(`^-([a-zA-Z]*?)([${withValue.join("")}])=?(.+)$`, "s");
  return argv.flatMap((word, index) => {
    if (index >= end) return [word];
    const bare = optionNames.find((name) => word === `--${name}`);
    const meant = bare && optionOf(bare).bare;
    if (meant !== undefined) return [`${word}=${meant}`];
    const match = pattern.exec(word);
    if (!match) return [word];
    const [, switches = "", short = "", value = ""] = match;
    return [...(switches === "" ? [] : [`-${switches}`]), `-${short}`, value];
  });
}

/** Yargs reads `--quiet=yes` as no; whoever writes so means the contrary. */
function checkSwitches(argv: readonly string[], command: Command): void {
  for (const word of beforeDashes(argv)) {
    const [, name, value = ""] = /^--([a-z-]+)=(.*)$/s.exec(word) ?? [];
    const option = optionNames.find((one) => one === name);
    if (option === undefined || !isSwitch(option, command)) continue;
    if (value !== "true" && value !== "false") throw usage(`--${option} takes no value`, command);
  }
}

function readGiven(values: Record<string, unknown>, command: Command): Given {
  const given = new Map<OptionName, readonly string[] | boolean>();
  for (const [key, value] of Object.entries(values)) {
    if (key === "_" || key === "$0" || value === undefined) continue;
    const name = optionNames.find((one) => one === key);
    if (name === undefined) throw unknownOption(key, command);
    if (name !== "version" && !command.options.includes(name)) {
      throw usage(`kpush ${command.name} has no option --${name}`, command);
    }
    if (isSwitch(name, command)) given.set(name, isOn(value));
    else given.set(name, readValue(name, value, command));
  }
  return given;
}

/**
 * A switch may be given twice, as in `-v -v`; the last one counts. One that takes a value elsewhere has
 * that which it means without one.
 */
function isOn(value: unknown): boolean {
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === "string" ? last !== "false" : last === true;
}

function readValue(name: OptionName, value: unknown, command: Command): readonly string[] {
  const texts = (Array.isArray(value) ? value : [value]).map(String);
  // An empty value comes from a script's unset variable: the current context, say, is not meant then.
  if (texts.includes("")) throw usage(`--${name} needs a value`, command);
  if (texts.length > 1 && !isMany(name, command)) {
    throw usage(`--${name} is given ${texts.length} times; it takes one value`, command);
  }
  return texts;
}

/** What follows `--`, and nothing else: another program's options must not be taken for kpush's. */
function commandOf(argv: readonly string[], words: readonly string[], command: Command): string[] {
  const before = beforeDashes(argv).length;
  const own = argv.slice(before + 1);
  const [word] = words.slice(0, words.length - own.length);
  const example = `kpush ${command.name} -- ${plain(word ?? own[0] ?? "COMMAND", 100)} …`;
  if (word !== undefined) {
    const message = `a command stands behind --, and ${plain(word, 100)} stands before`;
    throw new KpushError("USAGE", message, { hint: example });
  }
  if (own.length === 0 && before < argv.length)
    throw new KpushError("USAGE", "no command stands behind --", { hint: example });
  return own;
}

/** A word may also be the value of an option that takes it only behind `=`. */
function noWords([word = ""]: readonly string[], command: Command): KpushError {
  const meant = command.options.find((name) => {
    const { bare, value = "" } = optionOf(name);
    return bare !== undefined && value.split("|").includes(word);
  });
  const also = meant === undefined ? "" : `; is --${meant}=${word} meant?`;
  return usage(`kpush ${command.name} takes no images${also}`, command);
}

function unknownOption(key: string, command: Command): KpushError {
  const flag = key.length === 1 ? `-${key}` : `--${key}`;
  const near = nearest(key, command.options);
  const meant = near === undefined ? "" : `; is --${near} meant?`;
  return usage(`there is no option ${plain(flag, 100)}${meant}`, command);
}

function usage(message: string, command: Command): KpushError {
  const help = command.name === "push" ? "kpush --help" : `kpush ${command.name} --help`;
  return new KpushError("USAGE", message, { hint: `${help} lists the options` });
}

function beforeDashes(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  return end < 0 ? argv : argv.slice(0, end);
}
