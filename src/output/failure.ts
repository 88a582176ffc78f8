import { KpushError, messageOf } from "../errors.ts";
import { codeOf, type HelpLink } from "./help-link.ts";
import { Interrupted } from "./interrupted.ts";
import type { Style } from "./terminal.ts";

/** How an error is told. */
export interface FailureStyle {
  style: Style;
  /** With code, causes and stack. */
  verbose: boolean;
  /** Put in front: what failed, where there was more than that. */
  about?: string | undefined;
  /** Leads to what the documentation says of the error; without it there is no such line. */
  link?: HelpLink | undefined;
  /** The hint with its command lines as the user would type them. */
  typed?: ((hint: string) => string) | undefined;
  /** What a report of a bug has to say. */
  report?: ((error: unknown) => string) | undefined;
}

const reportIt =
  "this is a bug in kpush; please report it with the lines below, which hold no names and no secrets";

/**
 * `error: what failed, and why`, `hint: what helps`, and `more:` with the way to the rest. What is no
 * {@link KpushError} is a bug, and is told with its causes and the report; a stack else comes only with `-v`.
 */
export function failureText(error: unknown, how: FailureStyle): string {
  if (error instanceof Interrupted) return `${error.message}\n`;
  const { style, verbose, link, report, typed = (text: string) => text } = how;
  const expected = error instanceof KpushError && error.code !== "UNEXPECTED";
  const about = how.about === undefined ? "" : `${how.about}: `;
  const lines = [
    `${style.bad("error:")} ${about}${expected ? messageOf(error) : nameAndMessage(error)}`,
  ];
  if (verbose || !expected) lines.push(...causes(error).map((cause) => `  caused by: ${cause}`));
  const hint = expected ? error.hint : reportIt;
  if (hint !== undefined) lines.push(`${style.strong("hint:")} ${typed(hint)}`);
  if (link) lines.push(style.faint(`more: ${link(codeOf(error))}`));
  if (verbose) {
    if (expected) lines.push(style.faint(`code: ${error.code}`));
    lines.push(style.faint(stackOf(error)));
  }
  const text = `${lines.join("\n")}\n`;
  return expected || !report ? text : `${text}\n${report(error)}`;
}

/** The messages of `cause`, of its cause, and so on; a chain that bites its tail ends. */
export function causes(error: unknown): string[] {
  const seen = new Set<unknown>([error]);
  const chain: string[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  while (cause !== undefined && cause !== null && !seen.has(cause)) {
    seen.add(cause);
    chain.push(nameAndMessage(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return chain;
}

function nameAndMessage(error: unknown): string {
  if (!(error instanceof Error)) return messageOf(error);
  // Under these names a message says it all, and a class name only puzzles.
  if (error.name === "Error" || error instanceof KpushError) return messageOf(error);
  return error.message === "" ? error.name : `${error.name}: ${error.message}`;
}

function stackOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const frames = stack.split("\n").filter((line) => line.startsWith("    at "));
  return frames.length > 0 ? frames.join("\n") : "    (no stack)";
}
