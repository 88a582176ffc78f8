/**
 * Numbers as text. Nothing here uses Intl or a locale: both are slow to start, and what scripts and
 * people paste into issues should read alike everywhere.
 */

const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Decimal units, three digits at most before they are cut: `999 B`, `14.2 MB`, `312 MB`. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  // 999.5 would be shown as 1000: that is one of the next unit.
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${byteUnits[unit] ?? ""}`;
}

/** @param bytesPerSecond - e.g. 5_100_000 is `5.1 MB/s` */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** How long something took: `12 ms`, `0.2 s`, `14.2 s`, `1 min 5 s`, `2 h 3 min`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  return inTwoUnits(Math.round(seconds));
}

/**
 * How long something will take yet, roughly, so that it does not jump: whole seconds under a minute,
 * then two units. Empty where nothing sensible can be said.
 */
export function formatTimeLeft(milliseconds: number): string {
  if (!Number.isFinite(milliseconds) || milliseconds < 0) return "";
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s left`;
  if (seconds >= 24 * 3600) return "more than a day left";
  // Beyond ten seconds' precision a guess of minutes is a guess.
  return `${inTwoUnits(Math.round(seconds / 10) * 10)} left`;
}

/**
 * Share of `total` in whole percent, rounded down. At most 99: that all bytes have left does not mean
 * that the registry took them, so only a finished push may be called complete.
 */
export function formatPercent(part: number, total: number): string {
  if (total <= 0) return "0 %";
  return `${Math.min(99, Math.max(0, Math.floor((part / total) * 100)))} %`;
}

/** `1 layer`, `2 layers`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function inTwoUnits(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  const rest = seconds % 60;
  return rest > 0 ? `${minutes} min ${rest} s` : `${minutes} min`;
}
