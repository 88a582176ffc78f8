import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { Duplex } from "node:stream";

/** How a process ended, and whether it had said anything. */
export interface ProcessEnd {
  code: number | null;
  answered: boolean;
  stderr: string;
}

export interface ProcessStreamOptions {
  /** Receives stderr as it comes. */
  onStderr: (chunk: Buffer) => void;
  /** What the stream fails with when the process has ended; undefined where that is its plain end. */
  failureOf: (end: ProcessEnd) => Error | undefined;
  /** What it fails with where the process could not be started. */
  notStarted: (error: Error) => Error;
}

/** Milliseconds that the last words of a process are waited for; a master of ssh keeps stderr open. */
const lastWords = 500;

/**
 * The standard streams of a process as one stream. It ends when the process has, so that its end can be
 * told with the reason; destroying it ends the process.
 */
export class ProcessStream extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #options: ProcessStreamOptions;
  #answered = false;
  #stderr = "";

  constructor(child: ChildProcessWithoutNullStreams, options: ProcessStreamOptions) {
    super();
    this.#child = child;
    this.#options = options;
    child.stdout.on("data", (chunk: Buffer) => {
      this.#answered = true;
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-2_000);
      options.onStderr(chunk);
    });
    // How it ended says more than the broken pipe that its end leaves behind.
    child.stdin.on("error", () => undefined);
    child.on("error", (error) => this.destroy(options.notStarted(error)));
    const said = new Promise((done) => child.stderr.once("close", done));
    const answered = new Promise((done) => child.stdout.once("close", done));
    child.once("exit", (code) => {
      const timer = setTimeout(() => child.stderr.destroy(), lastWords);
      void Promise.all([said, answered]).then(() => {
        clearTimeout(timer);
        this.#ended(code);
      });
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#child.stdin.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill();
    for (const one of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) one.destroy();
    done(error);
  }

  #ended(code: number | null): void {
    const end = { code, answered: this.#answered, stderr: this.#stderr };
    const failure = this.#options.failureOf(end);
    if (failure) this.destroy(failure);
    else this.push(null);
  }
}
