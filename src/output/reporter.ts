import type { Report } from "../events.ts";
import { imageLabel, labelWidthFor, type LineStyle } from "./lines.ts";
import { lineReporter } from "./line-reporter.ts";
import { isInteractive, styleFor, symbolsFor, useColor, type OutputStream } from "./terminal.ts";
import { ttyReporter } from "./tty-reporter.ts";

/** Shows what happens while a command runs; disposing it leaves the terminal as it was. */
export interface Reporter extends Disposable {
  report: Report;
  /** What a credential plugin or ssh writes: shown as it comes, and never drawn over. */
  passThrough: (chunk: string | Uint8Array) => void;
}

export interface ReporterOptions {
  stderr: OutputStream;
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  quiet: boolean;
  verbose: boolean;
  json: boolean;
  noColor: boolean;
  /** Nothing may be redrawn: the command writes to stdout while it runs. */
  still: boolean;
  /** Images of the command line, so that their names stand in line. */
  images: readonly string[];
  /** Contexts of the command line that the images go to, where there are several. */
  contexts?: readonly string[];
  /** Other first words of lines that are to be expected. */
  labels?: readonly string[];
  /** Milliseconds of a clock that never goes back. */
  now: () => number;
}

/** What every reporter that shows something works with. */
export interface Shown extends LineStyle {
  stderr: OutputStream;
  verbose: boolean;
  /** More than one image, or one in more than one place: a failure is then told at once, and explained at the end. */
  several: boolean;
  now: () => number;
}

/**
 * Chooses, once: silence for `--json` and `-q`; a spinner on a terminal; else one line a step.
 * Errors are not a reporter's business: they are written when the command has ended.
 */
export function openReporter(options: ReporterOptions): Reporter {
  const { stderr, env, platform, contexts = [], labels = [], verbose, now } = options;
  if (options.json || options.quiet) return silentReporter(stderr);
  const images = options.images.flatMap((image) =>
    contexts.length > 1 ? contexts.map((context) => imageLabel({ image, context })) : [image],
  );
  const shown: Shown = {
    stderr,
    verbose,
    now,
    several: images.length > 1,
    style: styleFor(useColor(stderr, env, options.noColor)),
    symbols: symbolsFor(env, platform),
    labelWidth: labelWidthFor([...images, ...labels]),
  };
  const live = !options.still && isInteractive(stderr, env);
  return live ? ttyReporter(shown) : lineReporter(shown);
}

function silentReporter(stderr: OutputStream): Reporter {
  return {
    report: () => undefined,
    // A login prompt that nobody sees would hang the command.
    passThrough: (chunk) => void stderr.write(chunk),
    [Symbol.dispose]: () => undefined,
  };
}
