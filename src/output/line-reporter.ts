import { stepLine } from "./lines.ts";
import { imageText } from "./live.ts";
import { openProgress } from "./progress.ts";
import type { Reporter, Shown } from "./reporter.ts";
import { stepLines } from "./step-lines.ts";

/** In milliseconds. */
export interface LineTimings {
  /** Between two lines of a push, at least. */
  push: number;
  /** Before a line of what is waited for, at least, where that has changed. */
  changed: number;
  /** And where it has not. */
  unchanged: number;
  /** Between two looks at what is waited for. */
  look: number;
}

/**
 * One line a step, for pipes, files and CI. What takes long says so now and then, as CI systems end a
 * job that is silent for too long.
 */
export function lineReporter(
  shown: Shown,
  every: LineTimings = { push: 15_000, changed: 5000, unchanged: 60_000, look: 1000 },
): Reporter {
  const { stderr, style, symbols, labelWidth, now } = shown;
  const lineOf = stepLines(shown);
  const progress = openProgress();
  const told = new Map<string, string>();
  let last = now();
  let ticker: NodeJS.Timeout | undefined;
  const running = (label: string, text: string) => {
    last = now();
    stderr.write(`${stepLine(style.faint(symbols.running), label, text, labelWidth)}\n`);
  };
  const look = () => {
    const silent = now() - last;
    const due = [...progress.waits()].filter(([label, text]) => {
      return silent >= (told.get(label) === text ? every.unchanged : every.changed);
    });
    for (const [label, text] of due) {
      told.set(label, text);
      running(label, text);
    }
  };
  return {
    report(event) {
      progress.take(event, now());
      const line = lineOf(event);
      if (line !== undefined) {
        stderr.write(line);
        last = now();
      } else if (event.type === "layer" || event.type === "bytes") {
        if (now() - last < every.push) return;
        for (const image of progress.images(now())) running(image.image, imageText(image));
      } else if (event.type === "progress") ticker ??= setInterval(look, every.look);
    },
    passThrough: (chunk) => void stderr.write(chunk),
    [Symbol.dispose]: () => clearInterval(ticker),
  };
}
