import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { Surroundings } from "../cluster/types.ts";
import { KpushError, messageOf } from "../errors.ts";
import { plain } from "../image/text.ts";
import { Interrupted } from "../output/interrupted.ts";

/** What a program ended with, as a shell would have it. */
export interface Ended {
  /** Its status; 128 and the signal's number; 127 where there is no such program, 126 where it cannot be run. */
  exitCode: number;
  /** Why it did not run. */
  error?: KpushError;
}

/**
 * Runs a program on the streams of this process, and waits for its end. A signal that is meant for kpush is passed on,
 * but for the Ctrl-C of a terminal, which the program gets by itself.
 *
 * @param leaving - what is done where this process ends without waiting for the program
 */
export function runChild(
  [command = "", ...args]: readonly string[],
  variables: Readonly<Record<string, string>>,
  { env, cwd, pluginStdin }: Pick<Surroundings, "env" | "cwd" | "pluginStdin">,
  signal: AbortSignal,
  leaving: Set<() => void> = new Set(),
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      ...{ cwd, env: { ...env, ...variables }, stdio: "inherit" },
    });
    const passOn = () => {
      const { reason } = signal as { reason: unknown };
      const name = reason instanceof Interrupted ? reason.signal : "SIGTERM";
      if (name !== "SIGINT" || pluginStdin === "ignore")
        child.kill(name === "SIGPIPE" ? "SIGTERM" : name);
    };
    // Whoever sends two signals does not want to wait for it.
    const kill = () => void child.kill("SIGKILL");
    leaving.add(kill);
    const end = (ended: Ended) => {
      leaving.delete(kill);
      signal.removeEventListener("abort", passOn);
      resolve(ended);
    };
    signal.addEventListener("abort", passOn);
    child.on("error", (error: NodeJS.ErrnoException) => end(notStarted(command, error)));
    child.on("exit", (code, killer) =>
      end({ exitCode: code ?? 128 + (killer ? constants.signals[killer] : 0) }),
    );
    if (signal.aborted) passOn();
  });
}

function notStarted(command: string, cause: NodeJS.ErrnoException): Ended {
  const missing = cause.code === "ENOENT";
  const name = plain(command, 200);
  const message = missing
    ? `${name}: there is no such command`
    : `${name} cannot be run: ${plain(messageOf(cause), 200)}`;
  const hint = missing ? "is it installed, and in PATH?" : "is it a program, and may you run it?";
  return {
    exitCode: missing ? 127 : 126,
    error: new KpushError("USAGE", message, { hint, cause }),
  };
}
