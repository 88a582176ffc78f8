import type { KpushError } from "../errors.ts";

/** Failures in a row after which one gives up, and how long they are remembered. */
const breaker = { failures: 5, within: 30_000 };

/**
 * How long to wait after failures that may pass, and when to give up. Shared by all attempts, so that
 * eight which meet one outage count once.
 */
export class Backoff {
  readonly #first: number;
  readonly #most: number;
  #failures: { at: number; error: KpushError }[] = [];

  constructor([first, most]: readonly [number, number]) {
    this.#first = first;
    this.#most = most;
  }

  succeeded(): void {
    this.#failures = [];
  }

  /**
   * Counts a failed attempt.
   *
   * @param startedAt - of the attempt, by `performance.now()`
   * @returns milliseconds until the next attempt, or the first error when it is time to give up
   */
  failed(startedAt: number, error: KpushError): number | KpushError {
    const now = performance.now();
    this.#failures = this.#failures.filter(({ at }) => now - at < breaker.within);
    const last = this.#failures.at(-1);
    if (!last || startedAt >= last.at) this.#failures.push({ at: now, error });
    const count = this.#failures.length;
    if (count >= breaker.failures) {
      const errors = this.#failures.map((failure) => failure.error);
      // A pod that is gone explains whatever came before.
      return errors.find(({ code }) => code === "POD_GONE") ?? errors[0] ?? error;
    }
    const wait = Math.min(this.#most, this.#first * 2 ** (count - 1));
    // Half of it at random: many clients of one restarted server must not return at once.
    return wait * (0.5 + Math.random() / 2);
  }
}
