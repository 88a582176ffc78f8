import type { KpushError } from "../errors.ts";
import type { PlannedImage } from "../events.ts";
import type { JsonResult } from "../output/json.ts";
import type { OutputStream } from "../output/terminal.ts";
import type { Context, ImageOutcome } from "../push/types.ts";
import { optionOf, type OptionName } from "./options.ts";
import type { Settings } from "./settings.ts";
import type { Given } from "./values.ts";

/** The streams of the process. */
export interface Io {
  /** Results only. */
  stdout: OutputStream;
  /** All the rest. */
  stderr: OutputStream;
  /** What has to be done even where a second signal ends the process at once; it cannot wait for anything. */
  leaving?: Set<() => void>;
  /** Shows a question and reads a line; undefined where there is no terminal to ask on. */
  ask?: ((question: string, signal: AbortSignal) => Promise<string>) | undefined;
}

/** A command line, read. */
export interface Invocation {
  /** What is no option: images. */
  words: readonly string[];
  /** Options as they stand on the command line, without the variables. */
  given: Given;
  settings: Settings;
}

/** What a command works with: its only way to the world. */
export interface Scene {
  io: Io;
  /** Its signal is aborted with an `Interrupted` when kpush has to end. */
  context: Context;
}

/** A command as data; main reads the command line by it, help.ts describes it. */
export interface Command {
  name: string;
  /** Lines of the help's usage. */
  usage: readonly string[];
  /** One line for the list of commands, without a full stop. */
  summary: string;
  /** Paragraphs of the command's own help. */
  description: readonly string[];
  /** Command lines, and what they do. */
  examples: readonly (readonly [command: string, does: string])[];
  options: readonly OptionName[];
  /** Options whose variables concern it; those of all its options unless given. */
  variables?: readonly OptionName[];
  /** Of an option that means something of its own here. */
  help?: Partial<Record<OptionName, string>>;
  /** Of its options, those that take no value here, although they do elsewhere. */
  switches?: readonly OptionName[];
  /** Of its options, those that may be given again and again here, although they may not elsewhere. */
  several?: readonly OptionName[];
  /** First words of the lines that it shows, so that what follows stands in line. */
  labels?: readonly string[];
  takesImages?: true;
  /** What follows `--` is another program's command line. */
  takesCommand?: true;
  /** Words that it takes, which a shell completes. */
  words?: readonly string[];
  /** Writes to stdout while it runs, so that nothing may be redrawn meanwhile. */
  narrates?: true;
  /** A word that is kept for later: not listed, and takes anything. */
  reserved?: true;
  /**
   * @returns what became of images, in their order, or another result; main prints it
   * @throws what ended the command; main tells it
   */
  run: (invocation: Invocation, scene: Scene) => Promise<readonly Outcome[] | CommandResult>;
}

/** What became of one image, or would. */
export type Outcome = ImageOutcome | PlannedImage;

/** What a command came to that pushes nothing. */
export interface CommandResult {
  /** For stdout, with its line breaks. */
  text: string;
  /** What the document of `--json` has of it. */
  document: JsonResult;
  /** Status to end with, where it is another program's. */
  exitCode?: number;
  /** What is wrong although the command did its work; it ends with the code of it. */
  error?: KpushError;
}

/** Whether an option takes no value of this command. */
export function isSwitch(name: OptionName, { switches = [] }: Command): boolean {
  return optionOf(name).value === undefined || switches.includes(name);
}

/** Whether an option of this command may be given again and again. */
export function isMany(name: OptionName, { several = [] }: Command): boolean {
  return optionOf(name).many === true || several.includes(name);
}

/** Options whose variables are read for a command. */
export function variablesOf({ variables, options }: Command): readonly OptionName[] {
  return variables ?? options;
}
