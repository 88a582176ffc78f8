import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { Endpoint } from "../endpoint.ts";

/** The account and the machine that an engine is reached by. Each field is safe as an argument of ssh. */
export interface SshTarget {
  user: string | undefined;
  /** A name, which may be one of ssh's own configuration, or an address without brackets. */
  host: string;
  port: number | undefined;
  /** The engine's socket on that machine, absolute; undefined for the one docker uses there. */
  socket: string | undefined;
}

// None of them begins with a dash, which ssh would take for an option (CVE-2017-1000117 and its like),
// and the path has nothing that a shell on the other side would read as more than a word.
const address =
  /^(?:(?<user>[\w.+][\w.+@\\-]*)@)?(?:\[(?<v6>[\da-fA-F:.]+(?:%\w+)?)\]|(?<host>\w[\w.-]*))(?::(?<port>\d{1,5}))?(?<path>\/[\w./@+=:,-]*)?$/;

/**
 * Reads `[USER@]HOST[:PORT][/PATH]`, as docker does.
 *
 * @throws KpushError `USAGE`
 */
export function sshEndpoint(rest: string, chosenBy: string): Endpoint {
  const { user, v6, host = v6, port, path = "" } = address.exec(rest)?.groups ?? {};
  if (host === undefined || Number(port ?? 22) > 65_535 || Number(port ?? 22) === 0) {
    const shown = plain(rest.replace(/:[^@/]*@/, ":…@"), 200);
    throw new KpushError("USAGE", `${chosenBy} is no engine's address: "ssh://${shown}"`, {
      hint: "it is written like ssh://USER@HOST, without a password; ssh asks for one, or has a key",
    });
  }
  const socket = path.replace(/\/+$/, "") || undefined;
  const shown = `${user === undefined ? "" : `${user}@`}${v6 === undefined ? host : `[${v6}]`}`;
  return {
    address: `ssh://${shown}${port === undefined ? "" : `:${Number(port)}`}${socket ?? ""}`,
    connection: {
      ssh: { user, host, port: port === undefined ? undefined : Number(port), socket },
    },
  };
}

/** The engine's program on the other machine that joins its standard streams to the engine's socket. */
export type DialProgram = "docker" | "podman";

/** Arguments of ssh, as docker gives them. */
export function sshArguments(
  { user, host, port, socket }: SshTarget,
  program: DialProgram,
): string[] {
  const toSocket = program === "docker" ? "--host" : "--url";
  return [
    ...["-o", "ConnectTimeout=30", "-T"],
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...["--", host, program],
    ...(socket === undefined ? [] : [toSocket, `unix://${socket}`]),
    ...["system", "dial-stdio"],
  ];
}
