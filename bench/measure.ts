import { spawn } from "node:child_process";

/** One side of a comparison: what a round does before the clock starts, and the command that is timed. */
export interface Side {
  prepare?: (round: number) => Promise<void>;
  command: string[];
  env?: NodeJS.ProcessEnv;
}

/** What a comparison may do besides measuring time. */
export interface Comparison {
  /** The first round is not counted; true unless given. */
  warmUp?: boolean;
  /** Bytes that the registry has; asked before and after each run. */
  stored?: () => Promise<number>;
}

export interface Figure {
  name: string;
  /** Median of the rounds' ratios kpush / by hand. */
  ratio: number;
  kpush: number;
  byHand: number;
  /** The ratio may be at most (`<=`) or must be at least (`>=`) this. */
  limit: number;
  sense: "<=" | ">=";
  ok: boolean;
  /** Bytes that a run added to the registry, medians. */
  stored?: { kpush: number; byHand: number };
}

/** Runs both sides in turn, A B, B A, …, and compares them round by round: the machine's speed drifts. */
export async function compare(
  name: string,
  rounds: number,
  limit: number,
  kpush: Side,
  byHand: Side,
  { warmUp = true, stored }: Comparison = {},
): Promise<Figure> {
  const times = { kpush: [] as number[], byHand: [] as number[] };
  const bytes = { kpush: [] as number[], byHand: [] as number[] };
  for (let round = warmUp ? 0 : 1; round <= rounds; round++) {
    for (const side of round % 2 === 0
      ? (["kpush", "byHand"] as const)
      : (["byHand", "kpush"] as const)) {
      const { prepare, command, env } = side === "kpush" ? kpush : byHand;
      await prepare?.(round);
      const before = await stored?.();
      const seconds = await time(command, env);
      if (round === 0) continue;
      times[side].push(seconds);
      if (stored && before !== undefined) bytes[side].push((await stored()) - before);
    }
  }
  const ratio = median(
    times.kpush.map((seconds, index) => seconds / (times.byHand[index] ?? Number.NaN)),
  );
  const measured = figure(name, ratio, median(times.kpush), median(times.byHand), limit, "<=");
  if (!stored) return measured;
  return { ...measured, stored: { kpush: median(bytes.kpush), byHand: median(bytes.byHand) } };
}

export function figure(
  name: string,
  ratio: number,
  kpush: number,
  byHand: number,
  limit: number,
  sense: "<=" | ">=",
): Figure {
  return {
    name,
    ratio,
    kpush,
    byHand,
    limit,
    sense,
    ok: sense === "<=" ? ratio <= limit : ratio >= limit,
  };
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Wall time of a command as a whole, in seconds; a failure ends the benchmark. */
export async function time(
  [program = "", ...args]: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  const started = performance.now();
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.on("error", reject).on("close", resolve),
  );
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${output}`);
  return seconds;
}
