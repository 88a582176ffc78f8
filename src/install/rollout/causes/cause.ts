/** Something that keeps a rollout from its end. */
export interface Cause {
  /** The same as long as the trouble is the same: tells how long it lasts. */
  key: string;
  /**
   * How long it must last to be certain: not at all; some seconds, as it may be the first of several
   * tries; or a minute, as a controller may be at work on it.
   */
  patience: "none" | "short" | "long";
  message: string;
  hint: string;
}

/** Milliseconds that a trouble may last before the rollout counts as failed. */
export interface Grace {
  short: number;
  long: number;
}

/** `short` lets the kubelet try twice (it waits 10 s between); `long` lets an autoscaler add a node. */
export const usualGrace: Grace = { short: 15_000, long: 60_000 };

/**
 * The first cause that has lasted as long as it takes to be certain.
 *
 * @param since - when each cause was first seen, by key; brought up to date
 * @param now - milliseconds, of any clock
 */
export function certainCause(
  causes: readonly Cause[],
  since: Map<string, number>,
  now: number,
  grace: Grace,
): Cause | undefined {
  const keys = new Set(causes.map(({ key }) => key));
  for (const key of since.keys()) if (!keys.has(key)) since.delete(key);
  for (const key of keys) if (!since.has(key)) since.set(key, now);
  return causes.find(
    ({ key, patience }) => patience === "none" || now - (since.get(key) ?? now) >= grace[patience],
  );
}
