import { KpushError } from "../errors.ts";

/** A signal that ends with the caller's, after the time limit, or when `stop` is called. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  stop(): void;
}

/** @param timeout - milliseconds; none where undefined. The reason is then a KpushError `TIMEOUT`. */
export function openDeadline(outer: AbortSignal, timeout: number | undefined): Deadline {
  const controller = new AbortController();
  const forward = () => controller.abort(outer.reason);
  if (outer.aborted) forward();
  outer.addEventListener("abort", forward, { once: true });
  const timer =
    timeout === undefined
      ? undefined
      : setTimeout(() => controller.abort(timedOut(timeout)), timeout);
  return {
    signal: controller.signal,
    stop: () => controller.abort(new Error("the push has ended")),
    [Symbol.dispose]() {
      clearTimeout(timer);
      outer.removeEventListener("abort", forward);
    },
  };
}

/**
 * What a part of the push failed by: where the time was up, that.
 *
 * @param signal - of a {@link Deadline}
 * @throws its reason where the whole was ended by something else: there is nobody to tell of parts
 */
export function causeOf(error: unknown, signal: AbortSignal): unknown {
  const reason: unknown = signal.reason;
  const isLate = reason instanceof KpushError && reason.code === "TIMEOUT";
  if (!isLate) signal.throwIfAborted();
  return isLate ? reason : error;
}

function timedOut(timeout: number): KpushError {
  return new KpushError("TIMEOUT", `the push did not end within ${timeout / 1000} s`, {
    hint: "raise --timeout, or see with -v what takes so long",
  });
}
