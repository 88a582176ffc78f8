import { KpushError } from "../errors.ts";
import { optionNames, optionOf, type OptionName } from "./options.ts";

/** Values as the command line has them: texts for options, `true` or `false` for switches. */
export type Given = ReadonlyMap<OptionName, readonly string[] | boolean>;

export type Env = Readonly<Record<string, string | undefined>>;

/** What options, and the variables behind them, say. */
export interface Values {
  /** Of an option that takes one value; undefined where nothing says anything. */
  text: (option: OptionName) => string | undefined;
  list: (option: OptionName) => readonly string[];
  isOn: (option: OptionName) => boolean;
  /** `--wait=false` */
  isOff: (option: OptionName) => boolean;
  /**
   * @param parse - gives undefined for what is not valid
   * @param wanted - completes "is not …"
   * @throws KpushError `USAGE` that names the option or the variable
   */
  read: <T>(
    option: OptionName,
    parse: (text: string) => T | undefined,
    wanted: string,
  ) => T | undefined;
}

/**
 * Options first, then the documented variables.
 *
 * @param concerned - the options whose variables count: those of others do not concern the command
 */
export function openValues(given: Given, concerned: readonly OptionName[], env: Env): Values {
  const found = new Map<OptionName, { text: string; from: string }>();
  for (const option of optionNames) {
    const { variable } = optionOf(option);
    const [text] = listOf(given, option);
    const fallback = variable === undefined ? undefined : env[variable];
    if (text !== undefined) found.set(option, { text, from: `--${option}` });
    else if (fallback && variable !== undefined && concerned.includes(option)) {
      found.set(option, { text: fallback, from: variable });
    }
  }
  chooseOneEngine(found, given);
  return {
    text: (option) => found.get(option)?.text,
    list: (option) => listOf(given, option),
    isOn: (option) => given.get(option) === true,
    isOff: (option) => given.get(option) === false,
    read(option, parse, wanted) {
      const value = found.get(option);
      if (value === undefined) return undefined;
      const parsed = parse(value.text);
      if (parsed === undefined) throw notValid(value, wanted);
      return parsed;
    },
  };
}

function listOf(given: Given, option: OptionName): readonly string[] {
  const value = given.get(option);
  return value === undefined || typeof value === "boolean" ? [] : value;
}

/** Both name an engine. An option outdoes the other one's variable; else it is not guessed which. */
function chooseOneEngine(found: Map<OptionName, { from: string }>, given: Given): void {
  const host = found.get("host");
  const context = found.get("docker-context");
  if (!host || !context) return;
  if (given.has("host") === given.has("docker-context")) {
    throw new KpushError("USAGE", `${host.from} and ${context.from} both name an engine`, {
      hint: "give one of them",
    });
  }
  found.delete(given.has("host") ? "docker-context" : "host");
}

function notValid({ text, from }: { text: string; from: string }, wanted: string): KpushError {
  return new KpushError("USAGE", `${from}: "${text}" is not ${wanted}`, {
    hint: "kpush --help lists the options",
  });
}

/** A port, 1 to 65535. */
export function portNumber(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : undefined;
}

/** 0 or more, and no more than the API's 32 bits hold. */
export function wholeNumber(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 31 ? Number(text) : undefined;
}
