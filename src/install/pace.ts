/**
 * How long to wait until the next look at something that takes an unknown time: briefly at first, as
 * most is over soon, and then a tenth of the time that has passed. All in milliseconds.
 *
 * @param elapsed - since the wait began
 * @param most - the answer at most
 */
export function paceOf(elapsed: number, most: number): number {
  return Math.min(most, Math.max(100, elapsed / 10));
}
