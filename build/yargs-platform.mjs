// What yargs needs of its platform when it only parses: no files, no environment, no translations, and
// no layout of help texts, which src/cli/help.ts does.
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { inspect } from "node:util";
import { Parser } from "yargs/helpers";

const unused = (name) => () => {
  throw new Error(`yargs asked for ${name}`);
};

/** node:assert takes longer to load than yargs takes to parse. */
const sees = (holds) => (actual, expected, message) => {
  if (!holds(actual, expected)) throw new Error(message);
};

const fill = (text, values) => values.reduce((filled, value) => filled.replace("%s", value), text);

/** Checks how yargs' own functions are called, at each call; the compiler has done it already. */
export function argsert() {}

export default {
  assert: { notStrictEqual: sees((a, b) => a !== b), strictEqual: sees((a, b) => a === b) },
  // It lays out the help before each command, to have it at hand.
  cliui: () => ({ div: () => undefined, span: () => undefined, toString: () => "" }),
  findUp: () => undefined,
  getEnv: () => undefined,
  getCallerFile: unused("getCallerFile"),
  getProcessArgvBin: () => "kpush",
  inspect,
  mainFilename: "kpush",
  Parser,
  path: { basename, dirname, extname, join, relative, resolve },
  process: {
    argv: () => [],
    cwd: () => "/",
    emitWarning: () => undefined,
    execPath: () => "kpush",
    exit: unused("exit"),
    nextTick: queueMicrotask,
    stdColumns: 80,
  },
  readFileSync: unused("readFileSync"),
  readdirSync: unused("readdirSync"),
  require: unused("require"),
  stringWidth: (text) => text.length,
  y18n: {
    __: (text, ...values) => fill(text, values),
    __n: (one, many, count, ...values) => fill(count === 1 ? one : many, [count, ...values]),
    getLocale: () => "en",
    setLocale: () => undefined,
    updateLocale: () => undefined,
  },
};
