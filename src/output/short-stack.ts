import { pathToFileURL } from "node:url";

/**
 * The frames of an error's stack, without its message, and without paths of the machine: those in the
 * package start at it, Node's own stay, and of the rest it is only told that there are some.
 *
 * @param directory - of the package, absolute
 */
export function shortStack(error: unknown, directory: string): string[] {
  if (!(error instanceof Error) || typeof error.stack !== "string") return [];
  return framesOf(error.stack, error.message).map((frame) => {
    const [, before = "", place = ""] = /^ {4}at (.*?\()?([^()]*)\)?$/.exec(frame) ?? [];
    const where = placeOf(place, directory);
    return where === undefined ? "    at (outside of kpush)" : `    at ${callee(before)}(${where})`;
  });
}

/** A message may have lines that look like frames: what comes after it counts. */
function framesOf(stack: string, message: string): string[] {
  const start = message === "" ? 0 : stack.indexOf(message);
  // Without its message, a stack is of another making, and nobody knows what is in it.
  if (start < 0) return [];
  const frames = stack.slice(start + message.length).split("\n");
  return frames.filter((line) => line.startsWith("    at "));
}

/** Names in the code; what is put together while it runs is not. */
function callee(text: string): string {
  const name = /^((?:async |new )?[\w$.<>#]+)(?: \[as [\w$.<>#]+\])? \($/.exec(text)?.[1];
  return name === undefined ? "" : `${name} `;
}

function placeOf(place: string, directory: string): string | undefined {
  const position = /:\d+:\d+$/.exec(place)?.[0];
  if (position === undefined) return undefined;
  const file = place.slice(0, -position.length);
  if (/^node:[\w/]+$/.test(file)) return file + position;
  for (const root of [directory, pathToFileURL(directory).href]) {
    const rest = file.startsWith(root) ? file.slice(root.length).replaceAll("\\", "/") : "";
    if (rest.startsWith("/")) return rest.slice(1) + position;
  }
  return undefined;
}
