/** One line of a comparison: in both, only in the old text, only in the new one. */
export interface DiffLine {
  mark: " " | "-" | "+";
  text: string;
}

/** Compares two texts by their longest common subsequence of lines. */
export function compareLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  const common = commonLengths(before, after);
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, fresh] = [before[i], after[j]];
    if (old !== undefined && old === fresh) {
      lines.push({ mark: " ", text: old });
      i += 1;
      j += 1;
    } else if (old !== undefined && at(common, i + 1, j) >= at(common, i, j + 1)) {
      lines.push({ mark: "-", text: old });
      i += 1;
    } else {
      lines.push({ mark: "+", text: fresh ?? "" });
      j += 1;
    }
  }
  return lines;
}

/** Only what changed, with up to `around` lines before and after; `…` where lines were left out. */
export function hunks(lines: readonly DiffLine[], around = 3): string[] {
  const isNear = (index: number) =>
    lines.slice(Math.max(0, index - around), index + around + 1).some(({ mark }) => mark !== " ");
  if (lines.every(({ mark }) => mark === " ")) return [];
  return lines.flatMap(({ mark, text }, index) => {
    if (isNear(index)) return [`${mark} ${text}`];
    return index === 0 || isNear(index - 1) ? ["  …"] : [];
  });
}

/** For each pair of positions, how many lines the rests have in common. */
function commonLengths(before: readonly string[], after: readonly string[]): number[][] {
  const lengths = Array.from({ length: before.length + 1 }, () =>
    new Array<number>(after.length + 1).fill(0),
  );
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      (lengths[i] as number[])[j] =
        before[i] === after[j]
          ? at(lengths, i + 1, j + 1) + 1
          : Math.max(at(lengths, i + 1, j), at(lengths, i, j + 1));
  return lengths;
}

/** Beyond the ends nothing is left to have in common, and the other side is not to be taken. */
const at = (lengths: readonly number[][], i: number, j: number): number => lengths[i]?.[j] ?? -1;
