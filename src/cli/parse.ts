import yargs from "yargs";
import { KpushError } from "../errors.ts";
import type { Command } from "./command.ts";
import { nearest } from "./nearest.ts";
import { optionNames, optionOf, type OptionName } from "./options.ts";
import type { Given } from "./settings.ts";

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
export function parse(argv: readonly string[], commands: readonly Command[], fallback: Command): Parsed {
  const found = readWith(argv, commands, fallback);
  const words = found.values["_"] as string[];
  if (found.named) words.shift();
  const { command, named } = found;
  // Nobody knows yet what options a reserved word will have.
  const given = readGiven(found.values, command.reserved ? undefined : command);
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
  parser.parse(splitShort(argv));
  if (found) return found;
  throw new Error("yargs chose no command");
}

function yargsOption(name: OptionName) {
  const { short, value } = optionOf(name);
  const type = value === undefined ? "boolean" : "string";
  return { type, ...(short !== undefined && { alias: short }) } as const;
}

/** `-nNAME` is `-n NAME`, as kubectl and docker read it; yargs would take it for five switches. */
function splitShort(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  const withValue = optionNames.flatMap((name) => {
    const { short, value } = optionOf(name);
    return short !== undefined && value !== undefined ? [short] : [];
  });
  const pattern = new RegExp(`^-([a-zA-Z]*?)([${withValue.join("")}])=?(.+)$`, "s");
  return argv.flatMap((word, index) => {
    const match = end >= 0 && index > end ? null : pattern.exec(word);
    if (!match) return [word];
    const [, switches = "", short = "", value = ""] = match;
    return [...(switches === "" ? [] : [`-${switches}`]), `-${short}`, value];
  });
}

function readGiven(values: Record<string, unknown>, command: Command | undefined): Given {
  const given = new Map<OptionName, readonly string[] | true>();
  for (const [key, value] of Object.entries(values)) {
    if (key === "_" || key === "$0" || value === undefined) continue;
    const name = optionNames.find((one) => one === key);
    if (name === undefined) {
      if (command) throw unknownOption(key, command);
      continue;
    }
    if (command && !accepts(command, name)) {
      throw usage(`kpush ${command.name} has no option --${name}`, command);
    }
    const read = optionOf(name).value === undefined ? readSwitch(value) : readValue(name, value, command);
    if (read) given.set(name, read);
  }
  return given;
}

function accepts(command: Command, name: OptionName): boolean {
  return name === "version" || command.options.includes(name);
}

/** A switch may be given twice, as in `-v -v`; the last one counts. */
function readSwitch(value: unknown): true | undefined {
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return last === true ? true : undefined;
}

function readValue(name: OptionName, value: unknown, command: Command | undefined): readonly string[] {
  const texts = (Array.isArray(value) ? value : [value]).map(String);
  if (!command) return texts;
  // An empty value comes from an unset variable of a script: then the current context is not meant.
  if (texts.includes("")) throw usage(`--${name} needs a value`, command);
  if (texts.length > 1 && !optionOf(name).many) {
    throw usage(`--${name} is given ${texts.length} times; it takes one value`, command);
  }
  return texts;
}

function unknownOption(key: string, command: Command): KpushError {
  const flag = key.length === 1 ? `-${key}` : `--${key}`;
  const near = nearest(key, command.options);
  const meant = near === undefined ? "" : `; is --${near} meant?`;
  return usage(`there is no option ${flag}${meant}`, command);
}

function usage(message: string, command: Command): KpushError {
  const help = command.name === "push" ? "kpush --help" : `kpush ${command.name} --help`;
  return new KpushError("USAGE", message, { hint: `${help} lists the options` });
}
