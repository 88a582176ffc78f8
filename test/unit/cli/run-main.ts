import type { Io } from "../../../src/cli/command.ts";
import { main } from "../../../src/cli/main.ts";
import type { Surroundings } from "../../../src/cluster/types.ts";

/** A terminal and a home of nobody: nothing of this machine is found by it. */
export function bareSurroundings(env: Surroundings["env"] = {}): Surroundings {
  return {
    env,
    home: "/nonexistent",
    cwd: "/nonexistent",
    platform: "linux",
    pluginStdin: "ignore",
    pluginStderr: () => undefined,
  };
}

/** Runs a command line in-process; returns all that a shell would see of it. */
export async function runMain(
  argv: readonly string[],
  surroundings: Surroundings = bareSurroundings(),
  signal: AbortSignal = new AbortController().signal,
  ask?: Io["ask"],
): Promise<{ status: number; stdout: string; stderr: string }> {
  let stdout = "";
  let stderr = "";
  const io = {
    stdout: { write: (chunk: string | Uint8Array) => (stdout += String(chunk)) },
    stderr: { write: (chunk: string | Uint8Array) => (stderr += String(chunk)) },
    ask,
  };
  const status = await main(argv, io, surroundings, signal);
  return { status, stdout, stderr };
}
