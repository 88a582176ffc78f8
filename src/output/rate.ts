/** Measures how fast bytes go, over the last seconds only: a link's rate changes. */
export interface RateMeter {
  /** @param bytes - all bytes so far; fewer than before start the measurement anew */
  feed(now: number, bytes: number): void;
  /** Bytes a second; undefined until a quarter of a second has been seen. */
  rate(now: number): number | undefined;
}

const shortest = 250;

/** @param window - milliseconds that a measurement looks back */
export function openRateMeter(window = 5000): RateMeter {
  let samples: { now: number; bytes: number }[] = [];
  return {
    feed(now, bytes) {
      const last = samples.at(-1);
      if (last && bytes < last.bytes) samples = [];
      // A sample for each of ten thousand small writes would only cost memory.
      if (last && samples.length > 1 && now - last.now < 50)
        last.bytes = Math.max(last.bytes, bytes);
      else samples.push({ now, bytes });
      while (samples.length > 2 && now - (samples[1]?.now ?? now) >= window) samples.shift();
    },
    rate(now) {
      const first = samples[0];
      const last = samples.at(-1);
      if (!first || !last || now - first.now < shortest) return undefined;
      return ((last.bytes - first.bytes) / (now - first.now)) * 1000;
    },
  };
}
