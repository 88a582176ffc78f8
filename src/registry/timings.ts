/** All durations are in milliseconds; tests make them small. */
export interface RegistryTimings {
  /** A request that carries no blob must be answered within this. */
  answer: number;
  /** Attempts in a row, none of which got further, before a lost connection is an error. */
  attempts: number;
  /** Between attempts; the first follows at once, then it doubles. */
  backoff: [first: number, most: number];
  /** The longest `Retry-After` that is waited for. */
  retryAfter: number;
}

export const registryTimings: RegistryTimings = {
  answer: 120_000,
  attempts: 6,
  backoff: [250, 5_000],
  retryAfter: 30_000,
};
