import type { Command } from "../command.ts";
import { optionNames, optionOf, type OptionName } from "../options.ts";

/** The words before the one to complete, as far as they matter for it. */
export interface Scanned {
  /** The command that is named; undefined where none is. */
  command: Command | undefined;
  /** Words that are neither options nor the command. */
  words: string[];
  given: Map<OptionName, string>;
  /** The option whose value comes next. */
  pending: OptionName | undefined;
  /** After `--` there are no options. */
  ended: boolean;
}

/** Reads an unfinished command line; what is wrong with it is passed over. */
export function scan(before: readonly string[], commands: readonly Command[]): Scanned {
  const scanned: Scanned = {
    command: undefined,
    words: [],
    given: new Map(),
    pending: undefined,
    ended: false,
  };
  for (const word of before) {
    if (scanned.pending !== undefined) {
      scanned.given.set(scanned.pending, word);
      scanned.pending = undefined;
    } else if (scanned.ended || !word.startsWith("-") || word === "-") {
      takeWord(word, scanned, commands);
    } else if (word === "--") scanned.ended = true;
    else takeOption(word, scanned);
  }
  return scanned;
}

function takeWord(word: string, scanned: Scanned, commands: readonly Command[]): void {
  const first = scanned.command === undefined && scanned.words.length === 0;
  const command = first ? commands.find(({ name }) => name === word) : undefined;
  if (command) scanned.command = command;
  else scanned.words.push(word);
}

function takeOption(word: string, scanned: Scanned): void {
  const [, long, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  const name = optionNames.find((one) =>
    long === undefined ? optionOf(one).short === word.slice(1, 2) : one === long,
  );
  if (name === undefined || optionOf(name).value === undefined) return;
  const given = long === undefined ? word.slice(2).replace(/^=/, "") || undefined : value;
  if (given !== undefined) scanned.given.set(name, given);
  else if (optionOf(name).bare === undefined) scanned.pending = name;
}
