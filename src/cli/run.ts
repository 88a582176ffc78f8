import { once } from "node:events";
import { arch, constants, homedir, release } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { isatty } from "node:tty";
import { pathToFileURL } from "node:url";
import type { Surroundings } from "../cluster/types.ts";
import { openBugReport } from "../output/bug-report.ts";
import { failureText } from "../output/failure.ts";
import { Interrupted } from "../output/interrupted.ts";
import { styleFor } from "../output/terminal.ts";
import type { Io } from "./command.ts";
import { main, type Help } from "./main.ts";
import type { Program } from "./program.ts";
import { version } from "./version.ts";

/**
 * Runs kpush as this process: the only place that knows there is one. Ends it when all is written.
 *
 * @param directory - of the package
 * @param beforeExit - called when the work is done, before the process ends
 * @param program - what the user typed to run it
 */
export async function run(
  directory: string,
  beforeExit: () => void,
  program: Program = "kpush",
): Promise<never> {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) onSignal(signal, controller);
  onClosedOutput(controller);
  const { argv, stdout, stderr } = process;
  const help = helpOf(directory);
  process.on("uncaughtException", (error) => {
    // It is told as a bug, but what can be cleaned up is; where even that hangs or fails, no more.
    if (controller.signal.aborted) process.exit(1);
    controller.abort(error);
    setTimeout(() => {
      const report = help.bug.text;
      stderr.write(failureText(error, { style: styleFor(false), verbose: true, report }));
      process.exit(1);
    }, 3000);
  });
  const place = surroundings();
  const called = await commandLine(program, argv.slice(2), place.env);
  process.exitCode = called
    ? await main(
        called.argv,
        io(),
        { ...place, ...called.docker },
        controller.signal,
        help,
        program,
      )
    : 0;
  await Promise.all([written(stdout), written(stderr)]);
  beforeExit();
  // Keep-alive sockets and timers of libraries may still be there; nobody waits for them.
  process.exit();
}

/** Asked of the descriptor: `process.stdin` itself takes a while to open, and is seldom read. */
const isTerminal = isatty(0);

/** The command line as kpush reads it; undefined where docker's question about the plugin was answered. */
async function commandLine(program: Program, argv: string[], env: Surroundings["env"]) {
  if (program !== "docker kpush") return { argv, docker: {} };
  const { fromDocker, metadata, metadataWord } = await import("./plugins/docker.ts");
  if (argv[0] !== metadataWord) {
    const { argv: ours, ...docker } = fromDocker(argv, env);
    return { argv: ours, docker };
  }
  process.stdout.write(metadata());
  return undefined;
}

/** The first signal ends the work in good order, the second one ends the process. */
function onSignal(signal: "SIGINT" | "SIGTERM" | "SIGHUP", controller: AbortController): void {
  process.on(signal, () => {
    const reason = new Interrupted(signal, constants.signals[signal]);
    if (controller.signal.aborted) process.exit(reason.exitCode);
    controller.abort(reason);
  });
}

/** `kpush … | head -1` is no error. What goes on is ended, as there is no one to tell the result. */
function onClosedOutput(controller: AbortController): void {
  // Progress that nobody reads is no reason to break off a push.
  process.stderr.on("error", () => undefined);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    controller.abort(new Interrupted("SIGPIPE", 13)); // which Windows has no constant for
  });
}

/** Resolves when all that was written has left; a stream that broke has nothing to wait for. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else stream.write("", () => resolve());
  });
}

function helpOf(directory: string): Help {
  const { version: node, platform } = process;
  const system = `${platform} ${arch()} ${release()}`;
  return {
    docs: pathToFileURL(join(directory, "docs/")).href,
    bug: openBugReport({ version, directory, node, system }),
  };
}

function io(): Io {
  const { stdout, stderr } = process;
  const leaving = new Set<() => void>();
  process.on("exit", () => {
    for (const act of leaving) act();
  });
  return { stdout, stderr, leaving, ask: isTerminal && stderr.isTTY ? ask : undefined };
}

async function ask(question: string, signal: AbortSignal): Promise<string> {
  const { createInterface } = await import("node:readline/promises");
  // Not a terminal of its own: in raw mode Ctrl-C would be a key and not a signal.
  const { stdin: input, stderr: output } = process;
  const lines = createInterface({ input, output, terminal: false });
  // At Ctrl-D the question would wait for ever; nothing is said by it, as by a bare Enter.
  const ended = once(lines, "close").then(() => undefined);
  try {
    const answer = await Promise.race([lines.question(question, { signal }), ended]);
    if (answer === undefined) output.write("\n");
    return answer ?? "";
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    lines.close();
  }
}

function surroundings(): Surroundings {
  const { env, platform, stderr } = process;
  return {
    env,
    home: homeDirectory(),
    cwd: workingDirectory(),
    platform,
    pluginStdin: isTerminal ? "inherit" : "ignore",
    pluginStderr: (chunk) => void stderr.write(chunk),
    stdin: isTerminal ? undefined : () => process.stdin,
  };
}

/** In a container the user may be in no passwd file. */
function homeDirectory(): string {
  try {
    return homedir();
  } catch {
    return "/";
  }
}

/** A directory that was removed has no path; no relative path leads anywhere from it. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return homeDirectory();
  }
}
