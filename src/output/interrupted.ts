/** Reason of the abort when a signal ends kpush; not a failure of anything. */
export class Interrupted extends Error {
  override name = "Interrupted";
  /** 128 + the signal's number, as shells expect. */
  readonly exitCode: number;
  /** The reader of the output has gone: there is nothing to say, and no one to say it to. */
  readonly silent: boolean;

  /** Its name. */
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals, number: number) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
    this.exitCode = 128 + number;
    this.silent = signal === "SIGPIPE";
  }
}
