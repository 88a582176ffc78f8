import { request as openRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { RequestHead } from "./request-head.ts";
import type { SocketAgent } from "./types.ts";

/** Sends requests over sockets that are open already, in place of one socket for each connection. */
export interface RelayOptions {
  /** Its sockets lead to the registry, and are kept for the next request. */
  agent: SocketAgent;
  /** Requests under way at once; more wait. Near, a wait is shorter than the opening of a socket. */
  concurrency: number;
}

/** One request with its whole body, as it came. */
export interface RelayedRequest {
  head: RequestHead;
  body: Buffer;
}

export interface Relay {
  /**
   * Sends a request, and writes the answer to the connection that it came on.
   *
   * @throws what kept it from being answered, with nothing written. A connection whose answer broke
   *   off is reset, so that nobody takes a part for the whole.
   */
  forward(request: RelayedRequest, socket: Socket): Promise<void>;
}

/** Headers that hold for one connection only (RFC 9110 section 7.6.1). */
const ofConnection = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding"]);

export function openRelay({ agent, concurrency }: RelayOptions): Relay {
  const waiting: (() => void)[] = [];
  let free = concurrency;
  const take = async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const give = () => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  return {
    async forward(request, socket) {
      await take();
      try {
        const answer = await answered(agent, request, socket);
        if (!socket.destroyed) await pass(answer, request.head, socket);
      } finally {
        give();
      }
    },
  };
}

/** A request that changes nothing is sent again where a kept socket turns out to be lost. */
async function answered(
  agent: SocketAgent,
  request: RelayedRequest,
  socket: Socket,
): Promise<IncomingMessage> {
  const { method } = request.head;
  try {
    return await send(agent, request, socket);
  } catch (error) {
    const { lost } = error as { lost?: boolean };
    if (!lost || socket.destroyed || (method !== "GET" && method !== "HEAD")) throw error;
    return await send(agent, request, socket);
  }
}

function send(
  agent: SocketAgent,
  { head, body }: RelayedRequest,
  socket: Socket,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, target: path } = head;
    const headers = without(head.rawHeaders);
    const outgoing = openRequest({ agent, method, path, headers, setHost: false });
    const abandon = () => outgoing.destroy();
    socket.once("close", abandon);
    outgoing.once("close", () => socket.off("close", abandon));
    outgoing.once("response", resolve);
    outgoing.on("error", (error) => reject(Object.assign(error, { lost: outgoing.reusedSocket })));
    outgoing.end(body);
  });
}

/** Writes an answer as it came, but for the framing of a body whose length nobody knows. */
async function pass(
  answer: IncomingMessage,
  { method, close }: RequestHead,
  socket: Socket,
): Promise<void> {
  const { statusCode = 502, statusMessage = "", rawHeaders, headers } = answer;
  const isEmpty = method === "HEAD" || statusCode === 204 || statusCode === 304;
  const isChunked = !isEmpty && headers["content-length"] === undefined;
  const kept = without(rawHeaders);
  if (isChunked) kept.push("Transfer-Encoding", "chunked");
  if (close) kept.push("Connection", "close");
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let index = 0; index < kept.length; index += 2)
    lines.push(`${kept[index] ?? ""}: ${kept[index + 1] ?? ""}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  try {
    if (isChunked) await pipeline(answer, chunked(), socket, { end: false });
    else await pipeline(answer, socket, { end: false });
    if (isChunked) socket.write("0\r\n\r\n");
  } catch {
    socket.resetAndDestroy();
  }
}

function without(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => {
    const name = rawHeaders[index & ~1] ?? "";
    return !ofConnection.has(name.toLowerCase());
  });
}

/** Frames each piece as a chunk (RFC 9112 section 7.1); the last one is the caller's to write. */
function chunked(): Transform {
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      this.push(`${piece.length.toString(16)}\r\n`, "latin1");
      this.push(piece);
      this.push("\r\n", "latin1");
      done();
    },
  });
}
