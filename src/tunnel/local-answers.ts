import {
  createServer,
  request as openRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { isLogin } from "./gate.ts";
import type { SocketAgent } from "./types.ts";

/** Answers a request in the registry's place. */
export type LocalAnswer = (request: IncomingMessage, response: ServerResponse) => void;

export interface LocalAnswersOptions {
  /** For requests that come in between and are the registry's to answer. */
  agent: SocketAgent;
  find: (path: string) => LocalAnswer | undefined;
  username: string;
  password: string;
}

export interface LocalAnswers {
  /**
   * Takes over a connection whose next request is answered here.
   *
   * @param head - of that request
   * @param read - all that was read of the connection
   * @returns false where it is none of its business
   */
  take(head: string, read: Buffer, socket: Socket): boolean;
}

/** An HTTP server that listens nowhere: the listener hands it connections. The login is asked of each request. */
export function openLocalAnswers(options: LocalAnswersOptions): LocalAnswers {
  const { agent, find, username, password } = options;
  const server = createServer((request, response) => {
    const given = request.headersDistinct["authorization"] ?? [];
    if (!isLogin(given, username, password)) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="kpush"', connection: "close" });
      response.end();
      return;
    }
    const answer = find(pathOf(request.url ?? ""));
    if (answer) answer(request, response);
    else void passOn(agent, request, response);
  });
  // An engine may pause as long as the cluster does.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  return {
    take(head, read, socket) {
      const target = /^[A-Z]+ (\S+) /.exec(head)?.[1] ?? "";
      if (!find(pathOf(target))) return false;
      socket.unshift(read);
      server.emit("connection", socket);
      socket.resume();
      return true;
    },
  };
}

function pathOf(target: string): string {
  return target.split("?", 1)[0] ?? "";
}

async function passOn(
  agent: SocketAgent,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method, url: path, headers } = request;
  const outgoing = openRequest({ agent, method, path, headers, setHost: false });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.on("error", reject);
  });
  answered.catch(() => undefined); // awaited below
  try {
    await pipeline(request, outgoing);
    const answer = await answered;
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    await pipeline(answer, response);
  } catch {
    response.destroy();
  }
}
