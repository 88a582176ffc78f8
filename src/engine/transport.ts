import type { IncomingMessage } from "node:http";
import { KpushError } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { connectionFailed, noAnswer } from "./failures.ts";
import { openWay } from "./remote/way.ts";
import { TryPodman, type SshSurroundings } from "./remote/ssh-dial.ts";

/** One request to an engine. Paths carry no API version: each engine then speaks its newest. */
export interface EngineRequest {
  method: string;
  /** With its query, percent-encoded. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
  /** Milliseconds until the answer's headers; unbounded where undefined. */
  timeout?: number | undefined;
}

/** HTTP to one engine. */
export interface Transport extends Disposable {
  readonly endpoint: Endpoint;
  /**
   * Resolves with the answer's headers and its body still to be read, whatever the status.
   * @throws KpushError `ENGINE_*`; the signal's reason when it is aborted
   */
  send(request: EngineRequest): Promise<IncomingMessage>;
}

/** Makes no connection yet; closes all when disposed, and ends the processes that carry them. */
export function openTransport(endpoint: Endpoint, surroundings: SshSurroundings): Transport {
  const way = openWay(endpoint, surroundings);
  const send = ({ method, path, headers, body, signal, timeout }: EngineRequest) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      signal?.throwIfAborted();
      const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
      const request = way.request({
        method,
        path: way.prefix + path,
        headers: { ...headers, ...length },
        ...(signal && { signal }),
      });
      const late = () => request.destroy(noAnswer(endpoint, timeout ?? 0));
      const timer = timeout === undefined ? undefined : setTimeout(late, timeout);
      request.once("response", (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      request.once("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      request.end(body);
    });
  const attempt = async (request: EngineRequest): Promise<IncomingMessage> => {
    try {
      return await send(request);
    } catch (error) {
      if (error instanceof TryPodman) return attempt(request);
      throw readFailure(endpoint, error, request.signal);
    }
  };
  let first: Promise<unknown> | undefined;
  return {
    endpoint,
    async send(request) {
      // What ssh asks before the first answer, a host's key for one, it asks once.
      if (way.asks && first) await first;
      const answer = attempt(request);
      first ??= answer.catch(() => undefined);
      return answer;
    },
    [Symbol.dispose]: () => way.agent.destroy(),
  };
}

/**
 * Reads an answer as text.
 *
 * @param most - bytes that are kept; what is longer is cut, and the connection given up
 */
export async function readText(
  { endpoint }: Pick<Transport, "endpoint">,
  answer: IncomingMessage,
  most: number,
  signal?: AbortSignal,
): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= most) break;
    }
  } catch (error) {
    throw readFailure(endpoint, error, signal);
  }
  return Buffer.concat(chunks).toString("utf8", 0, Math.min(length, most));
}

/** What a failed read or request is told as: the signal's reason goes before what it caused. */
export function readFailure(
  endpoint: Endpoint,
  error: unknown,
  signal: AbortSignal | undefined,
): Error {
  if (signal?.aborted) return signal.reason as Error;
  if (error instanceof KpushError) return error;
  return connectionFailed(endpoint, error);
}
