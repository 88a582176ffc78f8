import { stepLine } from "./lines.ts";
import { imageText } from "./live.ts";
import { openProgress } from "./progress.ts";
import type { Reporter, Shown } from "./reporter.ts";
import { stepLines } from "./step-lines.ts";

/** In milliseconds. */
export interface LineTimings {
  /** Between two lines of a push, at least. */
  push: number;
  /** Between two lines of what is waited for, at least, where something has changed. */
  changed: number;
  /** And where nothing has. */
  unchanged: number;
}

/**
 * One line a step, for pipes, files and CI. What takes long says so now and then, as CI systems end a
 * job that is silent for too long.
 */
export function lineReporter(
  shown: Shown,
  every: LineTimings = { push: 15_000, changed: 5000, unchanged: 60_000 },
): Reporter {
  const { stderr, style, symbols, labelWidth, now } = shown;
  const lineOf = stepLines(shown);
  const progress = openProgress();
  const told = new Map<string, string>();
  let last = now();
  const running = (label: string, text: string) =>
    void stderr.write(`${stepLine(style.faint(symbols.running), label, text, labelWidth)}\n`);
  return {
    report(event) {
      progress.take(event, now());
      const line = lineOf(event);
      if (line !== undefined) {
        stderr.write(line);
        last = now();
        return;
      }
      const silent = now() - last;
      if (event.type === "layer" && silent >= every.push) {
        last = now();
        for (const image of progress.images(last)) running(image.image, imageText(image));
      } else if (event.type === "progress") {
        const { label, text } = event;
        if (silent < (told.get(label) === text ? every.unchanged : every.changed)) return;
        last = now();
        told.set(label, text);
        running(label, text);
      }
    },
    passThrough: (chunk) => void stderr.write(chunk),
    [Symbol.dispose]: () => undefined,
  };
}
