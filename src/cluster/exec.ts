import type { IncomingMessage } from "node:http";
import { WebSocket, type ClientOptions } from "ws";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { networkError } from "./network-error.ts";
import { refusal } from "./objects.ts";
import type { Cluster } from "./types.ts";
import { list, mapping, text } from "./values.ts";

/** One command, to be run in a container without a shell of kpush's and without input. */
export interface Exec {
  namespace: string;
  pod: string;
  container: string;
  command: readonly string[];
}

/** What it came to. */
export interface ExecResult {
  /** At most 64 KiB. */
  stdout: string;
  exitCode: number;
}

/**
 * Channels of `v4.channel.k8s.io` for an exec: a message is a channel byte and a payload. On `status`
 * comes one Status object, at the end (kubernetes apimachinery pkg/util/remotecommand).
 */
const channels = { stdout: 1, status: 3 } as const;
const protocol = "v4.channel.k8s.io";
const mostOutput = 64 * 1024;

/**
 * Runs a command in a container and waits for its end; asks for `create` and `get` on pods/exec.
 *
 * @throws KpushError `CLUSTER_FORBIDDEN`, `CLUSTER_FAILED` also where the command is not there, and
 *   those of {@link networkError}; what `signal` was aborted with
 */
export async function exec(cluster: Cluster, what: Exec, signal: AbortSignal): Promise<ExecResult> {
  signal.throwIfAborted();
  const options: ClientOptions = {};
  await cluster.config.applyToHTTPSOptions(options);
  const socket = new WebSocket(
    `${cluster.server.replace(/^http/, "ws")}${pathOf(what)}`,
    protocol,
    {
      ...options,
      perMessageDeflate: false,
      followRedirects: false,
      maxPayload: 1024 * 1024,
    },
  );
  const abort = () => socket.terminate();
  signal.addEventListener("abort", abort);
  try {
    return await resultOf(socket, cluster, what);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.close();
  }
}

function pathOf({ namespace, pod, container, command }: Exec): string {
  const query = new URLSearchParams({ container, stdout: "true" });
  for (const word of command) query.append("command", word);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/exec`;
  return `${path}?${query.toString()}`;
}

function resultOf(socket: WebSocket, cluster: Cluster, what: Exec): Promise<ExecResult> {
  const output: Buffer[] = [];
  let size = 0;
  let status: unknown;
  socket.binaryType = "nodebuffer";
  return new Promise((resolve, reject) => {
    socket.on("message", (data) => {
      const message = data as Buffer; // by binaryType
      const payload = message.subarray(1);
      if (message[0] === channels.status) status = parse(payload);
      if (message[0] !== channels.stdout || size >= mostOutput) return;
      output.push(payload.subarray(0, mostOutput - size));
      size += payload.length;
    });
    socket.on("unexpected-response", (_request, response) => {
      void bodyOf(response).then((body) => {
        const answer = { status: response.statusCode ?? 0, text: body, json: parse(body) };
        const ref = { apiVersion: "v1", kind: "Pod", namespace: what.namespace, name: what.pod };
        reject(refusal(answer, cluster, "exec into", ref));
        socket.terminate();
      });
    });
    socket.on("error", (error) => reject(networkError(error, cluster.server)));
    socket.on("close", () => {
      const exitCode = exitCodeOf(status);
      if (exitCode !== undefined) resolve({ stdout: Buffer.concat(output).toString(), exitCode });
      else reject(failed(what, status));
    });
  });
}

/** Undefined where the command did not run to its end. */
function exitCodeOf(status: unknown): number | undefined {
  const { status: outcome, details } = mapping(status);
  if (outcome === "Success") return 0;
  const cause = list(mapping(details)["causes"])
    .map(mapping)
    .find(({ reason }) => reason === "ExitCode");
  const code = Number(text(cause?.["message"]));
  return Number.isInteger(code) ? code : undefined;
}

function failed({ namespace, pod, command }: Exec, status: unknown): KpushError {
  const why = plain(text(mapping(status)["message"]) ?? "the connection was closed", 300);
  const message = `${plain(command[0] ?? "", 100)} did not run in pod ${namespace}/${pod}: ${why}`;
  return new KpushError("CLUSTER_FAILED", message);
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = "";
  try {
    response.setEncoding("utf8");
    for await (const part of response) {
      body += String(part);
      if (body.length >= mostOutput) break;
    }
  } catch {
    // What came is enough to tell what answered.
  }
  return body.slice(0, mostOutput);
}

function parse(body: Buffer | string): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
