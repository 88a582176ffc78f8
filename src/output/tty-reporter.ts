import { foldedLines } from "./fold.ts";
import { liveLines } from "./live.ts";
import { openProgress } from "./progress.ts";
import type { Reporter, Shown } from "./reporter.ts";
import type { Spinner } from "./spinner.ts";

export interface TtyTimings {
  /** Milliseconds before a spinner appears; what is over sooner never loads one. */
  patience: number;
  /** Milliseconds between two looks at rate and time left. */
  refresh: number;
}

/** Steps as lines that stay, and below them what is under way, redrawn. */
export function ttyReporter(
  shown: Shown,
  { patience, refresh }: TtyTimings = { patience: 120, refresh: 100 },
): Reporter {
  const { stderr, symbols, now } = shown;
  const { lineOf, rest } = foldedLines(shown);
  const progress = openProgress();
  let spinner: Spinner | undefined;
  let paused = false;
  let closed = false;

  const draw = () => {
    if (closed || paused) return;
    // The frame and a space stand in front; the last column is left, as some terminals wrap on it.
    const columns = Math.max(0, (stderr.columns ?? 80) - 3);
    const rows = Math.max(1, Math.min(16, (stderr.rows ?? 24) - 2));
    const lines = liveLines(progress, now(), { columns, rows });
    spinner?.set(lines.join("\n  "));
  };
  let ticker: NodeJS.Timeout | undefined;
  const starter = setTimeout(() => {
    void import("./spinner.ts").then(({ openSpinner }) => {
      if (closed) return;
      spinner = openSpinner(stderr, symbols, shown.style.good("") !== "");
      draw();
      ticker = setInterval(draw, refresh);
    });
  }, patience);

  return {
    report(event) {
      progress.take(event, now());
      if (!["debug", "layer", "fact"].includes(event.type)) paused = false;
      const line = lineOf(event);
      if (line === undefined) return;
      spinner?.pause();
      stderr.write(line);
      draw();
    },
    passThrough(chunk) {
      // It may be a prompt: nothing may move until the plugin is done, which the next step shows.
      paused = true;
      spinner?.pause();
      stderr.write(chunk);
    },
    [Symbol.dispose]() {
      closed = true;
      clearTimeout(starter);
      clearInterval(ticker);
      spinner?.[Symbol.dispose]();
      const line = rest();
      if (line !== undefined) stderr.write(line);
    },
  };
}
