import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { openReporter } from "../../src/output/reporter.ts";
import { pushed } from "./output/events.ts";

const pathOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

interface Recording {
  version: string;
  steps: { command: string; output: [number, string][] }[];
}
const read = async (path: string) => JSON.parse(await readFile(pathOf(path), "utf8")) as unknown;
const recording = (await read("picture/recording.json")) as Recording;
const written = recording.steps.map(({ output }) => output.map(([, text]) => text).join(""));

test("the README's pictures are what the recording draws", async () => {
  await promisify(execFile)(process.execPath, [pathOf("picture/draw.mjs"), "--check"]);
});

test("the recording is of these commands and of this version", async () => {
  const { commands } = (await read("picture/commands.json")) as { commands: string[] };
  expect(recording.steps.map(({ command }) => command)).toEqual(commands);
  expect(recording).toHaveProperty("version", ((await read("package.json")) as Recording).version);
});

test("what it shows is what kpush writes today", () => {
  const [sent = "", unchanged = ""] = written;
  const pod = /kpush-system\/(\S+) in/.exec(sent)?.[1] ?? "no pod";
  const [, pullRef = "none", digest = ""] = /(localhost\S+@(sha256:\w+))\r\n/.exec(sent) ?? [];
  const [, layers, total, megabytes, seconds] =
    /(\d+) of (\d+) layers sent, ([\d.]+) MB, ([\d.]+) s/.exec(sent) ?? [];
  const bytes = Number(megabytes) * 1_000_000;
  const image = { digest, pullRef, sentBytes: bytes, totalBytes: 0 };
  const count = { sent: Number(layers), total: Number(total) };
  const milliseconds = Number(seconds) * 1000;
  const lines = linesOf(pod, pushed({ ...image, layers: count, milliseconds }));
  expect(lines).toHaveLength(3);
  for (const line of lines) expect(sent).toContain(`${line}\r\n`);

  const [, number, unit] = /nothing sent, ([\d.]+) (m?s)\r/.exec(unchanged) ?? [];
  const took = Number(number) * (unit === "s" ? 1000 : 1);
  const again = pushed({ ...image, route: "none", sentBytes: 0, milliseconds: took });
  for (const line of linesOf(pod, again)) expect(unchanged).toContain(`${line}\r\n`);
  expect(unchanged).toContain(`${pullRef}\r\n`); // behind a spinner where it took its time
});

test("it names nothing of the machine that it was recorded on", () => {
  expect(written.join("")).not.toMatch(/\/tmp|\/home|\/root|kpush-picture/);
});

const facts = { context: "dev", namespace: "kpush-system", pullAddress: "localhost:5000" };

/** What a terminal is sent for a push to this pod by the engine of the picture. */
function linesOf(pod: string, image: ReturnType<typeof pushed>): string[] {
  const sent: string[] = [];
  const stderr = { isTTY: true, write: (chunk: string | Uint8Array) => sent.push(String(chunk)) };
  const still = { quiet: false, verbose: false, json: false, noColor: false, still: true };
  using reporter = openReporter({
    ...{ stderr, env: { TERM: "xterm" }, platform: "linux", images: [image.image], now: () => 0 },
    ...still,
  });
  reporter.report({ type: "engine", name: "Docker 28.5.2 at unix:///var/run/docker.sock" });
  reporter.report({ ...facts, type: "registry", pod });
  reporter.report({ type: "done", image });
  return sent.join("").split("\n").filter(Boolean);
}
