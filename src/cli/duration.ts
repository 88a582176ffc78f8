const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration as Go and kubectl write it: `30s`, `5m`, `1h30m`, `1.5h`, `500ms`, `0`.
 *
 * @returns milliseconds; undefined where it is none
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return undefined;
  let milliseconds = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) {
    milliseconds += Number(number) * (units[unit ?? ""] ?? NaN);
  }
  // What setTimeout can hold; more would fire at once.
  return milliseconds <= 0x7fffffff ? milliseconds : undefined;
}
