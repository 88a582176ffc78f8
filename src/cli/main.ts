import type { Surroundings } from "../cluster/types.ts";
import { ExitCode, KpushError } from "../errors.ts";
import type { KpushEvent, Report } from "../events.ts";
import type { BugReport } from "../output/bug-report.ts";
import { failureText } from "../output/failure.ts";
import { codeOf, helpLink } from "../output/help-link.ts";
import { Interrupted } from "../output/interrupted.ts";
import { openJson, type JsonDocument } from "../output/json.ts";
import { plannedText } from "../output/layer-lines.ts";
import { openReporter } from "../output/reporter.ts";
import { styleFor, useColor } from "../output/terminal.ts";
import { variablesOf, type CommandResult, type Io, type Outcome } from "./command.ts";
import { failuresOf } from "./failures.ts";
import { openMemoryGuard } from "./memory-guard.ts";
import { commands } from "./commands/all.ts";
import { pushCommand } from "./commands/push.ts";
import { variables } from "./options.ts";
import { parse, type Parsed } from "./parse.ts";
import { asTyped, type Program } from "./program.ts";
import { resolveSettings } from "./settings.ts";
import { version } from "./version.ts";

/** What of kpush itself helps where it fails. */
export interface Help {
  /** Address of the directory docs/ of this installation, with a slash at its end. */
  docs: string;
  bug: BugReport;
}

/**
 * kpush, all but its process: reads the command line, runs the command, and tells what came of it.
 *
 * @param argv - what follows `kpush`
 * @param signal - to be aborted with an {@link Interrupted}
 * @param help - without it, errors have no links, and bugs no report
 * @param program - what the user typed to run it, as usage and hints show it
 * @returns the exit status
 */
export async function main(
  argv: readonly string[],
  io: Io,
  surroundings: Surroundings,
  signal: AbortSignal,
  help?: Help,
  program: Program = "kpush",
): Promise<number> {
  const json = openJson({ docs: help?.docs, report: help?.bug.text });
  const tell = teller(argv, io, surroundings, help, program);
  let command: string | undefined;
  try {
    if (argv[0] === "__complete") {
      const { answer } = await import("./completion/answer.ts");
      io.stdout.write(await answer(argv.slice(1), surroundings, signal));
      return ExitCode.ok;
    }
    const parsed = parse(argv, commands, pushCommand);
    const text = await helpOrVersion(parsed, program);
    if (text !== undefined) {
      io.stdout.write(text);
      return ExitCode.ok;
    }
    command = parsed.command.name;
    help?.bug.command(command, givenNames(parsed, surroundings));
    const take = (event: KpushEvent) => {
      json.take(event);
      help?.bug.take(event);
    };
    const result = await run(parsed, io, surroundings, signal, take);
    return "document" in result
      ? tell.result(result, json.document(result))
      : tell.outcomes(result, json.document({ images: result }));
  } catch (error) {
    return tell.error(error, json.document({ error, command }));
  }
}

async function helpOrVersion(
  { command, named, given }: Parsed,
  program: Program,
): Promise<string | undefined> {
  if (command.reserved) return undefined;
  if (given.get("help")) {
    const { commandHelp, mainHelp } = await import("./help.ts");
    return named ? commandHelp(command, program) : mainHelp(pushCommand, commands, program);
  }
  return given.get("version") ? `${version}\n` : undefined;
}

async function run(
  { command, words, given }: Parsed,
  io: Io,
  surroundings: Surroundings,
  signal: AbortSignal,
  take: Report,
): Promise<readonly Outcome[] | CommandResult> {
  const { env, platform } = surroundings;
  const settings = resolveSettings(given, variablesOf(command), env);
  using reporter = openReporter({
    ...settings,
    ...{
      env,
      platform,
      stderr: io.stderr,
      images: words,
      labels: command.labels ?? [],
      still: command.narrates ?? false,
      now: () => performance.now(),
    },
  });
  using memory = openMemoryGuard();
  const context = {
    surroundings: { ...surroundings, pluginStderr: reporter.passThrough },
    signal,
    report: (event: KpushEvent) => {
      take(event);
      memory.take(event);
      reporter.report(event);
    },
  };
  const { ask } = io;
  const asking: Io["ask"] =
    ask &&
    ((question, until) => {
      reporter.passThrough(""); // nothing may be drawn over the question
      return ask(question, until);
    });
  return await command.run({ words, given, settings }, { io: { ...io, ask: asking }, context });
}

/** `--tag`, `KPUSH_CONTEXT`: what was given, by name. */
function givenNames({ command, given }: Parsed, { env }: Surroundings): string[] {
  const concerned = variablesOf(command);
  const set = variables.filter(
    ({ variable, option }) => concerned.includes(option) && env[variable],
  );
  return [...[...given.keys()].map((name) => `--${name}`), ...set.map(({ variable }) => variable)];
}

/** Writes the end of it all, once the reporter has left the terminal. */
function teller(
  argv: readonly string[],
  { stdout, stderr }: Io,
  { env }: Surroundings,
  help: Help | undefined,
  program: Program,
) {
  // Looked up by hand, as they hold where the command line is wrong too.
  const end = argv.indexOf("--");
  const flags = end < 0 ? argv : argv.slice(0, end);
  const has = (...names: string[]) => names.some((name) => flags.includes(name));
  const noColor = has("--no-color");
  const style = styleFor(useColor(stderr, env, noColor));
  const link = help && helpLink(help.docs, stderr, env, noColor);
  const typed = (hint: string) => asTyped(hint, program);
  const how = { style, typed, verbose: has("-v", "--verbose"), link, report: help?.bug.text };
  const quiet = has("-q", "--quiet");
  const asJson = has("--json");
  const writeJson = (document: JsonDocument) =>
    stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  return {
    outcomes(outcomes: readonly Outcome[], document: JsonDocument): number {
      const failures = failuresOf(outcomes);
      const failed = [...failures.values()];
      if (asJson) writeJson(document);
      for (const outcome of asJson ? [] : outcomes) {
        const failure = failures.get(outcome);
        if (failure) {
          const { error, about } = failure;
          // Of many that failed alike, the last one shows where it is explained.
          const isLast = failure === failed.findLast((one) => codeOf(one.error) === codeOf(error));
          stderr.write(failureText(error, { ...how, about, link: isLast ? link : undefined }));
        } else if ("error" in outcome) continue;
        else if ("target" in outcome) {
          stdout.write(plannedText(outcome, stdout.isTTY ? stdout.columns : undefined));
        } else stdout.write(`${outcome.pullRef}\n`);
      }
      const [first] = failed;
      return first ? exitCodeOf(first.error) : ExitCode.ok;
    },
    result({ text, error, exitCode }: CommandResult, document: JsonDocument): number {
      if (asJson) writeJson(document);
      else {
        if (text !== "") stdout.write(text);
        if (error) stderr.write(failureText(error, how));
      }
      return exitCode ?? error?.exitCode ?? ExitCode.ok;
    },
    error(error: unknown, document: JsonDocument): number {
      if (asJson) writeJson(document);
      else if (!(error instanceof Interrupted && (error.silent || quiet)))
        stderr.write(failureText(error, how));
      return exitCodeOf(error);
    },
  };
}

function exitCodeOf(error: unknown): number {
  if (error instanceof KpushError || error instanceof Interrupted) return error.exitCode;
  return ExitCode.unexpected;
}
