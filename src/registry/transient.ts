import { setTimeout as sleep } from "node:timers/promises";
import { KpushError, messageOf } from "../errors.ts";
import { plain } from "../image/text.ts";
import type { RegistryTimings } from "./timings.ts";

/** A failure that may pass: a lost connection, or a registry that asks to come back later. */
export class Transient extends Error {
  override name = "Transient";
  /** Milliseconds that the registry asked to wait. */
  readonly after: number | undefined;

  constructor(cause: unknown, after?: number) {
    super(messageOf(cause), { cause });
    this.after = after;
  }
}

/** What an attempt tells of how far it came, so that progress starts the count of attempts anew. */
export interface Attempts {
  /** 0 for the first. */
  readonly number: number;
  progressed(): void;
}

/**
 * Repeats an attempt while its failures are {@link Transient}.
 *
 * @throws KpushError what the last attempt failed with, or `REGISTRY_UNHEALTHY`
 */
export async function persist<T>(
  timings: RegistryTimings,
  signal: AbortSignal,
  attempt: (attempts: Attempts) => Promise<T>,
): Promise<T> {
  let failures = 0;
  for (let number = 0; ; number += 1) {
    signal.throwIfAborted();
    try {
      return await attempt({ number, progressed: () => (failures = 0) });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Transient)) throw error;
      failures += 1;
      const tooLong = error.after !== undefined && error.after > timings.retryAfter;
      if (failures >= timings.attempts || tooLong) throw lasting(error, failures);
      await pause(error.after ?? backoff(failures, timings), signal);
    }
  }
}

/** A new connection usually does: the first repetition waits for nothing. */
function backoff(failures: number, { backoff: [first, most] }: RegistryTimings): number {
  return failures === 1 ? 0 : Math.min(most, first * 2 ** (failures - 2));
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}

function lasting({ cause }: Transient, attempts: number): KpushError {
  if (cause instanceof KpushError) return cause;
  const times = attempts === 1 ? "" : ` ${attempts} times`;
  return new KpushError(
    "REGISTRY_UNHEALTHY",
    `the connection to the registry was lost${times}: ${plain(messageOf(cause), 300)}`,
    {
      hint: "see whether the registry's pod is restarting, and its log",
      cause,
    },
  );
}
