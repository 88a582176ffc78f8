import ora from "ora";
import type { OutputStream, Symbols } from "./terminal.ts";

/** An area at the end of the terminal that is redrawn; what others write appears above it. */
export interface Spinner extends Disposable {
  readonly spinning: boolean;
  set(text: string): void;
  /** Removes the area, and shows the cursor, until `set` is called again. */
  pause(): void;
}

/** Ora, kept from what it would do by itself; this file is loaded only when something takes long. */
export function openSpinner(stderr: OutputStream, symbols: Symbols, color: boolean): Spinner {
  const spinner = ora({
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- only for terminals
    stream: stderr as NodeJS.WriteStream,
    spinner: { frames: symbols.frames, interval: 80 },
    // It would color its frames under NO_COLOR too, as it looks at the environment only now and then.
    color: color ? "cyan" : false,
    isEnabled: true,
    // Stdin may be an image archive, or a credential plugin's.
    discardStdin: false,
  });
  return {
    get spinning() {
      return spinner.isSpinning;
    },
    set(text) {
      if (spinner.isSpinning) spinner.text = text;
      else spinner.start(text);
    },
    pause: () => void spinner.stop(),
    [Symbol.dispose]: () => void spinner.stop(),
  };
}
