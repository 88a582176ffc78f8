import { refusal, type Answer } from "./problem.ts";
import { Transient } from "./transient.ts";

/** A {@link Transient} where the registry, or a proxy before it, is only busy; else undefined. */
export function retryLater(answer: Answer): Transient | undefined {
  if (![429, 502, 503, 504].includes(answer.status)) return undefined;
  return new Transient(refusal(answer, "answer"), waitOf(answer.headers["retry-after"]));
}

/** Milliseconds of a `Retry-After`, which is in seconds or a date (RFC 9110). */
function waitOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
