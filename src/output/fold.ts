import type { KpushEvent, ObjectAction } from "../events.ts";
import { count } from "./format.ts";
import type { Shown } from "./reporter.ts";
import { doneLine, stepLines } from "./step-lines.ts";

/** Lines that stay, with the objects that are no news counted in one of them. */
export interface FoldedLines {
  /** The lines of an event, with what was counted before it. */
  lineOf: (event: KpushEvent) => string | undefined;
  /** The line of what has been counted and not been shown. */
  rest: () => string | undefined;
}

/** Eleven unchanged objects are one line, which comes when something other than objects is to be shown. */
export function foldedLines(shown: Shown): FoldedLines {
  const lineOf = stepLines(shown);
  let counted: KpushEvent[] = [];
  let action: ObjectAction | undefined;
  const rest = () => {
    const [first] = counted;
    if (first === undefined || action === undefined) return undefined;
    const number = counted.length;
    counted = [];
    return number === 1 ? lineOf(first) : doneLine(shown, action, count(number, "object"));
  };
  return {
    rest,
    lineOf(event) {
      if (!shown.verbose && isNoNews(event)) {
        const before = action === event.action ? undefined : rest();
        action = event.action;
        counted.push(event);
        return before;
      }
      const line = lineOf(event);
      if (line === undefined || event.type === "object") return line;
      return (rest() ?? "") + line;
    },
  };
}

type ObjectEvent = Extract<KpushEvent, { type: "object" }>;

function isNoNews(event: KpushEvent): event is ObjectEvent {
  if (event.type !== "object" || event.note !== undefined) return false;
  return event.action === "unchanged" || event.action === "absent";
}
