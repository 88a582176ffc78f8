import { KpushError, messageOf } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { DialProgram, SshTarget } from "./ssh-address.ts";

/** ssh itself could not be started. */
export function noSsh(address: string, cause: unknown): KpushError {
  const { code } = cause as NodeJS.ErrnoException;
  const why =
    code === "ENOENT" ? "is not on the PATH" : `cannot be run: ${plain(messageOf(cause), 300)}`;
  return new KpushError("ENGINE_UNSUPPORTED", `the engine at ${address} needs ssh, which ${why}`, {
    hint: "install OpenSSH's client",
    cause,
  });
}

/** How an ssh process ended that gave no answer of the engine. */
export interface SshEnd {
  address: string;
  target: SshTarget;
  program: DialProgram;
  /** Null where a signal ended it. */
  code: number | null;
  stderr: string;
}

/** ssh ends with 255 for its own failures, else with what the program over there ended with. */
export function sshFailed({ address, target, program, code, stderr }: SshEnd): KpushError {
  const { host } = target;
  const last = plain(stderr.trim().split("\n").at(-1) ?? "", 300);
  const words = last === "" ? `it ended with ${code === null ? "a signal" : code}` : last;
  if (isMissing(code)) {
    return new KpushError(
      "ENGINE_NOT_FOUND",
      `neither docker nor podman is on the PATH of ${host}, at ${address}`,
      {
        hint: `ssh must find one of them in a shell without a login: ${call(target)} docker version`,
      },
    );
  }
  if (code === 255 || code === null) {
    return new KpushError(
      "ENGINE_UNREACHABLE",
      `ssh to the engine at ${address} failed: ${words}`,
      {
        hint: `this should fail the same way: ${call(target)} ${program} version`,
      },
    );
  }
  const denied = /permission denied/i.test(stderr);
  return new KpushError(
    denied ? "ENGINE_DENIED" : "ENGINE_UNREACHABLE",
    `${program} on ${host} does not reach the engine at ${address}: ${words}`,
    { hint: `this should fail the same way: ${call(target)} ${program} version` },
  );
}

/** Whether the shell over there did not find the program. */
export function isMissing(code: number | null): boolean {
  return code === 127;
}

function call({ user, host, port }: SshTarget): string {
  return `ssh ${port === undefined ? "" : `-p ${port} `}${user === undefined ? "" : `${user}@`}${host}`;
}
