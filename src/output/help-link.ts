import { KpushError, type ErrorCode } from "../errors.ts";
import { Interrupted } from "./interrupted.ts";
import { isInteractive, useColor, type OutputStream } from "./terminal.ts";

/** What `error.code` of the document of `--json` says. */
export type ToldCode = ErrorCode | "INTERRUPTED";

/** The code that an error is told by: what nobody expected is a bug. */
export function codeOf(error: unknown): ToldCode {
  if (error instanceof KpushError) return error.code;
  return error instanceof Interrupted ? "INTERRUPTED" : "UNEXPECTED";
}

/**
 * Address of the section of docs/errors.md on a code.
 *
 * @param docs - address of the directory docs/ of this installation, with a slash at its end
 */
export function helpUrl(docs: string, code: ToldCode): string {
  return `${docs}${section(code)}`;
}

const section = (code: ToldCode) => `errors.md#${code.toLowerCase()}`;

/** How the address of a section is written. */
export type HelpLink = (code: ToldCode) => string;

/**
 * The address itself, for logs and for terminals that show no links; else a short text that leads there, by
 * OSC 8 (https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda): under npx the address is long.
 *
 * @param docs - as of {@link helpUrl}
 */
export function helpLink(
  docs: string,
  stream: OutputStream,
  env: Readonly<Record<string, string | undefined>>,
  noColor: boolean,
): HelpLink {
  const plain = !showsLinks(stream, env) || !useColor(stream, env, noColor);
  return (code) => {
    const url = helpUrl(docs, code);
    return plain ? url : `\u001b]8;;${url}\u001b\\docs/${section(code)}\u001b]8;;\u001b\\`;
  };
}

/** These two do not know OSC 8, and say so by nothing else. */
function showsLinks(stream: OutputStream, env: Readonly<Record<string, string | undefined>>) {
  const without = env["TERM"] === "linux" || env["TERM_PROGRAM"] === "Apple_Terminal";
  return isInteractive(stream, env) && !without;
}
