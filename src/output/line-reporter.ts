import { stepLine } from "./lines.ts";
import { imageText } from "./live.ts";
import { openProgress } from "./progress.ts";
import type { Reporter, Shown } from "./reporter.ts";
import { stepLines } from "./step-lines.ts";

/**
 * One line a step, for pipes, files and CI. A push that takes long says so now and then, as CI systems
 * end a job that is silent for too long.
 *
 * @param every - milliseconds between two such lines of a push, at least
 */
export function lineReporter(shown: Shown, every = 15_000): Reporter {
  const { stderr, style, symbols, labelWidth, now } = shown;
  const lineOf = stepLines(shown);
  const progress = openProgress();
  let last = now();
  return {
    report(event) {
      progress.take(event, now());
      const line = lineOf(event);
      if (line !== undefined) {
        stderr.write(line);
        last = now();
        return;
      }
      if (event.type !== "layer" || now() - last < every) return;
      last = now();
      for (const image of progress.images(last)) {
        const text = imageText(image);
        stderr.write(`${stepLine(style.faint(symbols.running), image.image, text, labelWidth)}\n`);
      }
    },
    passThrough: (chunk) => void stderr.write(chunk),
    [Symbol.dispose]: () => undefined,
  };
}
