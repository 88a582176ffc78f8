import { spawn, type ChildProcess } from "node:child_process";
import { createReadStream, readFileSync } from "node:fs";
import { pipeline } from "node:stream";
import { fileURLToPath } from "node:url";
import { kubeconfig } from "./environment.ts";

const program = fileURLToPath(new URL("../../../bin/kpush.js", import.meta.url));

export interface Run {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Peak resident memory in MiB, as Linux counts it; 0 elsewhere. */
  peakMemory: number;
}

export interface Started {
  child: ChildProcess;
  /** Resolves with the match once the output, stdout or stderr, holds this. */
  saw(text: RegExp): Promise<RegExpExecArray>;
  ended: Promise<Run>;
}

export interface StartOptions {
  env?: NodeJS.ProcessEnv;
  /** As DOCKER_HOST. */
  host?: string;
  /** A file that comes by standard input. */
  stdin?: string;
}

/** Starts the built kpush as a process of its own. */
export function start(args: string[], options: StartOptions = {}): Started {
  const env: NodeJS.ProcessEnv = { ...process.env, KUBECONFIG: kubeconfig, ...options.env };
  if (options.host !== undefined) env["DOCKER_HOST"] = options.host;
  const child = spawn(process.execPath, [program, ...args], {
    env,
    stdio: [options.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  if (options.stdin !== undefined && child.stdin)
    pipeline(createReadStream(options.stdin), child.stdin, () => undefined); // kpush may end first
  const run: Run = { code: null, signal: null, stdout: "", stderr: "", peakMemory: 0 };
  const waiting = new Set<() => void>();
  const measure = setInterval(
    () => (run.peakMemory = Math.max(run.peakMemory, peakOf(child.pid))),
    20,
  );
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.on("data", (chunk: Buffer) => {
      run[name] += chunk.toString();
      for (const check of waiting) check();
    });
  }
  const ended = new Promise<Run>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearInterval(measure);
      resolve({ ...run, code, signal });
      for (const check of waiting) check();
    });
  });
  return {
    child,
    ended,
    saw: (text) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const match = text.exec(`${run.stdout}\n${run.stderr}`);
          if (match) resolve(match);
          else if (child.exitCode !== null || child.signalCode !== null)
            reject(new Error(`ended before ${String(text)}: ${run.stderr}`));
          else return;
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
  };
}

/** Runs kpush to its end. */
export async function kpush(args: string[], options: StartOptions = {}): Promise<Run> {
  return start(args, options).ended;
}

function peakOf(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
