import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Figure } from "./measure.ts";

const only = process.argv.slice(2); // words: only the figures whose name has one of them
const figures: Figure[] = [];
const memory: Record<string, number> = {};

/** Whether a figure is to be measured in this run. */
export const wanted = (name: string): boolean =>
  only.length === 0 || only.some((word) => name.includes(word));

/** Takes a figure, and shows it at once. */
export function take(figure: Figure): void {
  figures.push(figure);
  show(figure);
}

/** @param megabytes - peak resident memory of kpush */
export function takeMemory(name: string, megabytes: number): void {
  memory[name] = Math.round(megabytes);
}

function show(one: Figure): void {
  const digits = (value: number) => value.toFixed(value < 10 ? 3 : 1);
  console.log(
    `${one.ok ? "ok  " : "MISS"} ${one.name.padEnd(48)} ${one.ratio.toFixed(2)} ${one.sense} ${one.limit.toFixed(2)}   kpush ${digits(one.kpush)}, by hand ${digits(one.byHand)}${storedText(one)}`,
  );
}

function storedText({ stored }: Figure): string {
  if (!stored) return "";
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return `; stored ${megabytes(stored.kpush)} MB, by hand ${megabytes(stored.byHand)} MB`;
}

/** Prints all as a table, and writes it as JSON; the exit status is 1 where a figure was missed. */
export async function report(): Promise<void> {
  console.log("\nmedian ratios, kpush / by hand");
  figures.forEach(show);
  for (const [name, megabytes] of Object.entries(memory))
    console.log(`     peak memory of kpush: ${name}: ${megabytes} MiB`);
  const directory = fileURLToPath(new URL("./results", import.meta.url));
  await mkdir(directory, { recursive: true });
  const file = `${directory}/latest.json`;
  await writeFile(
    file,
    JSON.stringify(
      { date: new Date().toISOString(), node: process.version, figures, memory },
      null,
      2,
    ),
  );
  if (figures.some((one) => !one.ok)) process.exitCode = 1;
}
