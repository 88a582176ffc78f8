import { spawn, type ChildProcess } from "node:child_process";
import { KpushError, messageOf } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { ClusterEntry } from "../kubeconfig/cluster-entry.ts";
import type { ExecConfig } from "../kubeconfig/user-entry.ts";
import type { Surroundings } from "../types.ts";
import { execInfo, execVersions, parseExecCredential } from "./exec-credential.ts";
import type { Login, LoginSource } from "./login.ts";
import { terminalText } from "../../image/terminal-text.ts";

/** A plugin prints a token or a certificate; more than this is something else. */
const mostOutput = 1024 * 1024;
/** How long a plugin that was told to end may take before it is killed, in ms. */
const killAfter = 2_000;

export interface ExecOptions {
  exec: ExecConfig;
  /** With the PEM of its authority, for a plugin that asks for cluster information. */
  cluster: ClusterEntry & { authority: string | undefined };
  surroundings: Surroundings;
  signal: AbortSignal;
}

/**
 * An exec credential plugin: a program that prints an ExecCredential.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
export function execLogin(options: ExecOptions): LoginSource {
  const command = plain(options.exec.command, 200);
  const { exec, surroundings } = options;
  const asks = surroundings.pluginStdin === "inherit" && exec.interactiveMode !== "Never";
  return {
    help: `log in again with the tool that ${command} belongs to, and try kubectl get pods`,
    renewable: true,
    get: () => (asks ? inTurn(surroundings, () => runPlugin(options)) : runPlugin(options)),
  };
}

/** Of several clusters, plugins that may ask something go one after another: there is one terminal. */
const turns = new WeakMap<Surroundings, Promise<unknown>>();

function inTurn<T>(surroundings: Surroundings, run: () => Promise<T>): Promise<T> {
  const turn = (turns.get(surroundings) ?? Promise.resolve()).then(run);
  turns.set(
    surroundings,
    turn.catch(() => undefined),
  );
  return turn;
}

async function runPlugin({ exec, cluster, surroundings, signal }: ExecOptions): Promise<Login> {
  signal.throwIfAborted();
  if (!execVersions.includes(exec.apiVersion)) throw unsupported(exec);
  const interactive = mayPrompt(exec, surroundings);
  const info = execInfo(
    exec.apiVersion,
    interactive,
    exec.provideClusterInfo ? cluster : undefined,
  );
  const own = Object.fromEntries(exec.env.map(({ name, value }) => [name, value]));
  const child = spawn(exec.command, exec.args, {
    cwd: surroundings.cwd,
    env: { ...surroundings.env, ...own, KUBERNETES_EXEC_INFO: info },
    stdio: [interactive ? "inherit" : "ignore", "pipe", "pipe"],
    windowsHide: true,
  });
  const { stdout, stderr, code, end } = await outcome(
    child,
    surroundings.pluginStderr,
    signal,
  ).catch((error: unknown) =>
    Promise.reject(
      signal.aborted ? (error as Error) : notStarted(exec, error, surroundings.platform),
    ),
  );
  if (stdout === undefined) throw failed(exec, "printed more than a credential can be");
  if (code !== 0) throw failed(exec, `ended with ${end}`, stderr);
  return parseExecCredential(stdout, exec.apiVersion, exec.command);
}

interface Outcome {
  /** Undefined where it was too much. */
  stdout: string | undefined;
  /** The last of it. */
  stderr: string;
  code: number | null;
  /** The status or the signal in words. */
  end: string;
}

function outcome(
  child: ChildProcess,
  show: Surroundings["pluginStderr"],
  signal: AbortSignal,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let said = "";
    const clean = terminalText();
    const abort = () => {
      end(child);
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", abort, { once: true });
    child.stdout?.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= mostOutput) chunks.push(chunk);
      else end(child);
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      const safe = clean(chunk);
      said = (said + safe).slice(-2_000);
      if (safe) show(Buffer.from(safe));
    });
    child.on("error", (error) => {
      signal.removeEventListener("abort", abort);
      reject(error);
    });
    child.on("close", (code, killer) => {
      signal.removeEventListener("abort", abort);
      const stdout = size > mostOutput ? undefined : Buffer.concat(chunks).toString("utf8");
      resolve({
        stdout,
        stderr: said,
        code,
        end: code === null ? `signal ${String(killer)}` : `status ${code}`,
      });
    });
  });
}

function end(child: ChildProcess): void {
  child.kill();
  setTimeout(() => child.kill("SIGKILL"), killAfter).unref();
}

/** Whether the plugin gets the terminal's stdin. */
function mayPrompt(
  { interactiveMode, command }: ExecConfig,
  { pluginStdin }: Surroundings,
): boolean {
  if (interactiveMode === "Never") return false;
  const terminal = pluginStdin === "inherit";
  if (interactiveMode === "Always" && !terminal) {
    throw new KpushError(
      "CREDENTIALS_FAILED",
      `the credential plugin ${plain(command, 200)} wants to ask you something, and there is no terminal`,
      {
        hint: "run kpush in a terminal, or use credentials that need no answer",
      },
    );
  }
  return terminal;
}

function unsupported({ apiVersion, command }: ExecConfig): KpushError {
  const version = plain(apiVersion, 100) || "no version";
  return new KpushError(
    "CREDENTIALS_FAILED",
    `the credential plugin ${plain(command, 200)} is set up for ${version}, which kubectl no longer supports`,
    {
      hint: `write the kubeconfig anew with your cluster's tool: it must say ${execVersions.join(" or ")}`,
    },
  );
}

function failed({ command }: ExecConfig, why: string, stderr = ""): KpushError {
  const lastLine = plain(stderr.trim().split("\n").at(-1) ?? "", 300);
  return new KpushError(
    "CREDENTIALS_FAILED",
    `the credential plugin ${plain(command, 200)} ${why}${lastLine ? `: ${lastLine}` : ""}`,
    {
      hint: "log in again with the tool it belongs to; kubectl get pods should fail the same way",
    },
  );
}

/** Why a plugin could not be started, where `cause` is what `spawn` said. */
export function notStarted(
  { command, installHint }: Pick<ExecConfig, "command" | "installHint">,
  cause: unknown,
  platform: NodeJS.Platform,
): KpushError {
  const { code } = cause as NodeJS.ErrnoException;
  // Their arguments would go through cmd.exe, whose quoting nobody can do safely: Node.js refuses too.
  const batch =
    platform === "win32" ? ", or is a batch file (.cmd, .bat), which kpush does not run" : "";
  const why =
    code === "ENOENT" || code === "EINVAL"
      ? `is not installed, or not in PATH${batch}`
      : `cannot be run: ${plain(messageOf(cause), 300)}`;
  return new KpushError(
    "CREDENTIALS_FAILED",
    `the credential plugin ${plain(command, 200)} ${why}`,
    {
      hint:
        installHint === undefined
          ? "install it, or write the kubeconfig anew"
          : plain(installHint, 1000),
      cause,
    },
  );
}
