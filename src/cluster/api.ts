import {
  request as httpRequest,
  type Agent,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http";
import { request as httpsRequest } from "node:https";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { networkError } from "./network-error.ts";
import { mapping, text } from "./values.ts";
import type { ApiAnswer } from "./types.ts";

/** One request, ready to be sent. */
export interface ApiRequest {
  method: string;
  /** Base address of the server, with its prefix. */
  server: string;
  /** Below the prefix. */
  path: string;
  body?: unknown;
  /** Of the body; `application/json` unless given. */
  contentType?: string | undefined;
  /** Of the answer; `application/json` unless given. */
  accept?: string | undefined;
  headers: OutgoingHttpHeaders;
  /** `user:password` for Basic. */
  auth: string | undefined;
  agent: Agent;
  signal: AbortSignal;
  /** Milliseconds without a byte in either direction. */
  timeout: number;
}

/** A list of pods stays far below; what is larger is no answer to us. */
const mostBytes = 32 * 1024 * 1024;
const mostErrorBytes = 64 * 1024;

/** A connection that breaks under a GET is opened again this often. */
const again = 2;
const broken: ReadonlySet<unknown> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"]);

/**
 * Sends one request and reads the whole answer. A GET whose connection breaks is sent again, any number of times
 * where it was a kept one that the server closed at that moment.
 *
 * @throws KpushError of {@link networkError}, or `CLUSTER_FAILED` for an endless answer; what
 *   `signal` was aborted with
 */
export async function sendRequest(options: ApiRequest): Promise<ApiAnswer> {
  for (let breaks = 0; ;) {
    try {
      return await exchange(options);
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason;
      // Each such failure takes one connection out of the agent, so that this comes to an end.
      const { stale, code } = error as { stale?: boolean; code?: unknown };
      const isBroken = broken.has(code) && breaks < again;
      if (options.method === "GET" && (stale || isBroken)) {
        if (!stale) breaks += 1;
        continue;
      }
      throw networkError(error, options.server);
    }
  }
}

function exchange({
  method,
  server,
  path,
  body,
  contentType = "application/json",
  accept = "application/json",
  headers,
  auth,
  agent,
  signal,
  timeout,
}: ApiRequest): Promise<ApiAnswer> {
  const url = new URL(server);
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send({
      method,
      // As `ws` names them, so that its upgrades find these connections in the agent.
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port || (url.protocol === "https:" ? 443 : 80),
      path: `${url.pathname.replace(/\/$/, "")}${path}`,
      headers: {
        accept,
        ...(payload === undefined
          ? {}
          : { "content-type": contentType, "content-length": Buffer.byteLength(payload) }),
        ...headers,
      },
      auth,
      agent,
      signal,
      timeout,
    });
    request.on("timeout", () =>
      request.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })),
    );
    request.on("error", (error: NodeJS.ErrnoException) => {
      reject(Object.assign(error, { stale: request.reusedSocket && error.code === "ECONNRESET" }));
    });
    request.on("response", (response) => void answerOf(response).then(resolve, reject));
    request.end(payload);
  });
}

async function answerOf(response: IncomingMessage): Promise<ApiAnswer> {
  const status = response.statusCode ?? 0;
  const most = status < 400 ? mostBytes : mostErrorBytes;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most && status < 400)
      throw new KpushError("CLUSTER_FAILED", "the API server's answer has no end");
    if (size > most) break;
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString("utf8");
  return { status, text: body, json: parse(body) };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** What an answer says in words: the message of a Status, else its text; safe to show. */
export function answerMessage({ json, text: body, status }: ApiAnswer): string {
  const message = text(mapping(json)["message"]);
  if (message !== undefined) return plain(message, 1000);
  const isPage = /^\s*</.test(body);
  return isPage ? `status ${status} with an HTML page` : plain(body, 300) || `status ${status}`;
}

/** The error for an answer that nobody expects: a gateway's page, a server in trouble. */
export function unexpectedAnswer(answer: ApiAnswer, what: string, server: string): KpushError {
  if (answer.status === 400 && /HTTP request to an HTTPS server/i.test(answer.text)) {
    return new KpushError(
      "CLUSTER_TLS",
      `${plain(server, 300)} wants TLS, and the kubeconfig has http://`,
      {
        hint: "write https:// in the server address of the kubeconfig",
      },
    );
  }
  const message =
    answer.status < 400
      ? `it answered with something that is no Kubernetes object (status ${answer.status})`
      : answerMessage(answer);
  return new KpushError("CLUSTER_FAILED", `the API server could not ${what}: ${message}`, {
    hint: "check with kubectl get --raw /readyz; the server address in the kubeconfig may need a path",
  });
}
