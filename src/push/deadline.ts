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

function timedOut(timeout: number): KpushError {
  return new KpushError("TIMEOUT", `the push did not end within ${timeout / 1000} s`, {
    hint: "raise --timeout, or see with -v what takes so long",
  });
}
