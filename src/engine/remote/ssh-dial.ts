import { spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import type { Surroundings } from "../../cluster/types.ts";
import { terminalText } from "../../image/terminal-text.ts";
import { sshArguments, type DialProgram, type SshTarget } from "./ssh-address.ts";
import { isMissing, noSsh, sshFailed } from "./ssh-failure.ts";
import { ProcessStream } from "./ssh-stream.ts";

/** What ssh is run in. */
export type SshSurroundings = Pick<Surroundings, "env" | "platform"> &
  Partial<Pick<Surroundings, "pluginStdin" | "pluginStderr">>;

/** What a shell says that has no docker: podman is tried then. */
const isAboutDocker = /\bdocker\b.*not found/i;

/** Fails a connection because the other machine has no docker; the next one asks for podman. */
export class TryPodman extends Error {}

/**
 * Connections to an engine on another machine, as docker makes them: one `ssh HOST docker system
 * dial-stdio` each, whose standard streams are the connection. ssh has its own configuration, agent, keys
 * and known hosts; where there is a terminal it may ask there.
 * https://docs.docker.com/engine/security/protect-access/#use-ssh-to-protect-the-docker-daemon-socket
 */
export function sshDialer(
  address: string,
  target: SshTarget,
  { env, pluginStdin, pluginStderr, platform }: SshSurroundings,
): () => Duplex {
  let program: DialProgram = "docker";
  return () => {
    const called = program;
    const child = spawn("ssh", sshArguments(target, called), {
      env: { ...env },
      // In a session of its own it has no terminal to wait at, and fails in place of asking.
      detached: pluginStdin !== "inherit" && platform !== "win32",
      windowsHide: true,
    });
    const clean = terminalText();
    return new ProcessStream(child, {
      onStderr: (chunk) => {
        const text = clean(chunk);
        if (text && !isAboutDocker.test(text)) pluginStderr?.(Buffer.from(text));
      },
      notStarted: (error) => noSsh(address, error),
      failureOf: ({ code, answered, stderr }) => {
        if (answered || code === 0) return undefined;
        if (isMissing(code) && called === "docker") {
          program = "podman";
          return new TryPodman();
        }
        return sshFailed({ address, target, program: called, code, stderr });
      },
    });
  };
}
