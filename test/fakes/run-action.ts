import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { load } from "js-yaml";

interface Step {
  id?: string;
  if?: string;
  shell: string;
  env?: Record<string, string>;
  run: string;
}

interface Action {
  inputs: Record<string, { required?: boolean; default?: string }>;
  outputs: Record<string, { value: string }>;
  runs: { using: string; steps: Step[] };
}

const root = join(import.meta.dirname, "../..");

/** kpush's own GitHub Action. */
export const action = load(await readFile(join(root, "action.yml"), "utf8")) as Action;

/** Where a runner has its own files, and the tools of `bin`. */
export interface Runner {
  directory: string;
  env?: Record<string, string>;
}

/** Runs the action's steps one after another, each as a runner on Linux does. */
export async function runAction({ directory, env = {} }: Runner, given: Record<string, string>) {
  const fileOf = (name: string) => join(directory, name);
  const defaults = Object.entries(action.inputs).map(([name, input]) => [name, input.default]);
  const inputs = { ...(Object.fromEntries(defaults) as Record<string, string>), ...given };
  await writeFile(fileOf("output"), "");
  const ran = { failed: false, log: "" };
  for (const step of action.runs.steps) {
    const wanted = step.if ?? "success()";
    if (wanted !== "always()" && ran.failed) continue;
    if (wanted.startsWith("inputs.") && valueOf(wanted, inputs) === "false") continue;
    const own = Object.entries(step.env ?? {}).map(([name, value]) => [
      name,
      value.replace(/\$\{\{(.*?)\}\}/g, (_, expression: string) => valueOf(expression, inputs)),
    ]);
    await writeFile(fileOf("step.sh"), step.run);
    const child = spawn("bash", ["--noprofile", "--norc", "-eo", "pipefail", fileOf("step.sh")], {
      cwd: directory,
      env: {
        ...{ HOME: directory, PATH: `${fileOf("bin")}:${process.env["PATH"] ?? ""}`, CI: "true" },
        ...{ GITHUB_ACTION_PATH: root, GITHUB_OUTPUT: fileOf("output"), RUNNER_TEMP: directory },
        ...env,
        ...(Object.fromEntries(own) as Record<string, string>),
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = once(child, "exit") as Promise<[number | null]>;
    ran.log += await text(child.stderr);
    const [status] = await ended;
    ran.failed ||= status !== 0;
  }
  return { ...ran, outputs: outputsIn(await readFile(fileOf("output"), "utf8")) };
}

/** The expressions of which action.yml makes use, as the runner has them. */
function valueOf(expression: string, inputs: Record<string, string>): string {
  const given = /^inputs\.(\w+)( != '')?$/.exec(expression.trim());
  const value = inputs[given?.[1] ?? ""];
  if (value === undefined) throw new Error(`no runner knows \${{ ${expression} }}`);
  return given?.[2] === undefined ? value : String(value !== "");
}

/** What the file GITHUB_OUTPUT holds, by the runner's rules. */
function outputsIn(written: string): Record<string, string> {
  const found = written.matchAll(/^(\w+)(?:=(.*)|<<(\w+)\n([^]*?)\n\3)$/gm);
  const pairs = [...found].map(([, name, line, , lines]) => [name, line ?? lines]);
  return Object.fromEntries(pairs) as Record<string, string>;
}
