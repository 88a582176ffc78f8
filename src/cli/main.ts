import type { Surroundings } from "../cluster/types.ts";
import { ExitCode, KpushError } from "../errors.ts";
import type { KpushEvent, Report } from "../events.ts";
import { failureText } from "../output/failure.ts";
import { Interrupted } from "../output/interrupted.ts";
import { openJson, type JsonDocument } from "../output/json.ts";
import { openReporter } from "../output/reporter.ts";
import { styleFor, useColor } from "../output/terminal.ts";
import type { ImageOutcome } from "../push/types.ts";
import { variablesOf, type CommandResult, type Io } from "./command.ts";
import { openMemoryGuard } from "./memory-guard.ts";
import { commands } from "./commands/all.ts";
import { pushCommand } from "./commands/push.ts";
import { parse, type Parsed } from "./parse.ts";
import { resolveSettings } from "./settings.ts";
import { version } from "./version.ts";

/**
 * kpush, all but its process: reads the command line, runs the command, and tells what came of it.
 *
 * @param argv - what follows `kpush`
 * @param signal - to be aborted with an {@link Interrupted}
 * @returns the exit status
 */
export async function main(
  argv: readonly string[],
  io: Io,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<number> {
  const json = openJson();
  const tell = teller(argv, io, surroundings);
  try {
    const parsed = parse(argv, commands, pushCommand);
    const text = await helpOrVersion(parsed);
    if (text !== undefined) {
      io.stdout.write(text);
      return ExitCode.ok;
    }
    const result = await run(parsed, io, surroundings, signal, json.take);
    return "document" in result
      ? tell.result(result, json.document(result))
      : tell.outcomes(result, json.document({ images: result }));
  } catch (error) {
    return tell.error(error, json.document({ error }));
  }
}

async function helpOrVersion({ command, named, given }: Parsed): Promise<string | undefined> {
  if (command.reserved) return undefined;
  if (given.get("help")) {
    const { commandHelp, mainHelp } = await import("./help.ts");
    return named ? commandHelp(command) : mainHelp(pushCommand, commands);
  }
  return given.get("version") ? `${version}\n` : undefined;
}

async function run(
  { command, words, given }: Parsed,
  io: Io,
  surroundings: Surroundings,
  signal: AbortSignal,
  take: Report,
): Promise<readonly ImageOutcome[] | CommandResult> {
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

/** Writes the end of it all, once the reporter has left the terminal. */
function teller(argv: readonly string[], { stdout, stderr }: Io, { env }: Surroundings) {
  // Looked up by hand, as they hold where the command line is wrong too.
  const end = argv.indexOf("--");
  const flags = end < 0 ? argv : argv.slice(0, end);
  const has = (...names: string[]) => names.some((name) => flags.includes(name));
  const style = styleFor(useColor(stderr, env, has("--no-color")));
  const verbose = has("-v", "--verbose");
  const quiet = has("-q", "--quiet");
  const asJson = has("--json");
  const writeJson = (document: JsonDocument) =>
    stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  return {
    outcomes(outcomes: readonly ImageOutcome[], document: JsonDocument): number {
      const several = outcomes.length > 1;
      if (asJson) writeJson(document);
      for (const outcome of asJson ? [] : outcomes) {
        if ("error" in outcome) {
          const image = several ? outcome.image : undefined;
          stderr.write(failureText(outcome.error, { style, verbose, image }));
        } else stdout.write(`${outcome.pullRef}\n`);
      }
      const failed = outcomes.find((outcome) => "error" in outcome);
      return failed ? exitCodeOf(failed.error) : ExitCode.ok;
    },
    result({ text, error }: CommandResult, document: JsonDocument): number {
      if (asJson) writeJson(document);
      else {
        if (text !== "") stdout.write(text);
        if (error) stderr.write(failureText(error, { style, verbose }));
      }
      return error?.exitCode ?? ExitCode.ok;
    },
    error(error: unknown, document: JsonDocument): number {
      if (asJson) writeJson(document);
      else if (!(error instanceof Interrupted && (error.silent || quiet)))
        stderr.write(failureText(error, { style, verbose }));
      return exitCodeOf(error);
    },
  };
}

function exitCodeOf(error: unknown): number {
  if (error instanceof KpushError || error instanceof Interrupted) return error.exitCode;
  return ExitCode.unexpected;
}
