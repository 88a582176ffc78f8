import { createHash, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";

/** What a request began with: `read` is all that was read, `end` where the header in it ends. */
export type Opening =
  | { kind: "request"; read: Buffer; end: number }
  /** An engine tries TLS first; a quick plain answer makes it fall back at once. */
  | { kind: "tls" }
  | { kind: "too-large" | "timeout" | "closed" };

/** First byte of a TLS record that carries a handshake (RFC 8446 section 5.1). */
const tlsHandshake = 0x16;
const headEnd = Buffer.from("\r\n\r\n");

/**
 * Reads a connection up to the end of a request's header, and leaves it paused.
 *
 * @param before - what was read of it already
 * @param limit - bytes that the header may have
 * @param timeout - milliseconds within which it must be complete; 0 for any time
 */
export function readOpening(
  socket: Socket,
  before: Buffer,
  limit: number,
  timeout: number,
): Promise<Opening> {
  return new Promise((resolve) => {
    let head: Buffer = Buffer.alloc(0);
    const state = { settled: false };
    const settle = (opening: Opening) => {
      state.settled = true;
      clearTimeout(timer);
      socket.pause();
      socket.off("data", onData).off("end", onClose).off("close", onClose);
      resolve(opening);
    };
    const onData = (chunk: Buffer) => {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      if (head[0] === tlsHandshake) {
        settle({ kind: "tls" });
        return;
      }
      const end = head.subarray(0, limit).indexOf(headEnd);
      if (end >= 0) settle({ kind: "request", read: head, end: end + headEnd.length });
      else if (head.length >= limit) settle({ kind: "too-large" });
    };
    const onClose = () => settle({ kind: "closed" });
    const timer = timeout > 0 ? setTimeout(() => settle({ kind: "timeout" }), timeout) : undefined;
    socket.on("data", onData).on("end", onClose).on("close", onClose);
    if (before.length > 0) onData(before);
    if (state.settled) return;
    // What has been told already is not told again.
    if (socket.destroyed || socket.readableEnded) onClose();
    else socket.resume();
  });
}

/** Reads a body of a known length, of which `before` may have come; `rest` is what came behind it. */
export async function readBody(
  socket: Socket,
  before: Buffer,
  length: number,
): Promise<{ body: Buffer; rest: Buffer } | undefined> {
  let read = before;
  while (read.length < length) {
    const chunk = await nextChunk(socket);
    if (!chunk) return undefined;
    read = Buffer.concat([read, chunk]);
  }
  return { body: read.subarray(0, length), rest: read.subarray(length) };
}

function nextChunk(socket: Socket): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const settle = (chunk?: Buffer) => {
      socket.pause();
      socket.off("data", settle).off("end", onClose).off("close", onClose);
      resolve(chunk);
    };
    const onClose = () => settle();
    socket.on("data", settle).on("end", onClose).on("close", onClose);
    if (socket.destroyed || socket.readableEnded) settle();
    else socket.resume();
  });
}

/**
 * True where the request carries exactly this login as HTTP Basic (RFC 7617). Takes the same time
 * however much of the password is right.
 */
export function hasLogin(head: string, username: string, password: string): boolean {
  const lines = head.split("\r\n");
  if (!/^[A-Z]+ \S+ HTTP\/1\.[01]$/.test(lines[0] ?? "")) return false;
  const given = lines.filter((line) => /^authorization:/i.test(line));
  return isLogin(
    given.map((line) => line.slice(line.indexOf(":") + 1)),
    username,
    password,
  );
}

/** The same of a request that was read, by the values of all its Authorization headers. */
export function isLogin(given: readonly string[], username: string, password: string): boolean {
  const [, token] = /^[ \t]*basic +([A-Za-z0-9+/_=-]+)[ \t]*$/i.exec(given[0] ?? "") ?? [];
  if (given.length !== 1 || token === undefined) return false;
  return timingSafeEqual(
    hash(Buffer.from(token, "base64")),
    hash(Buffer.from(`${username}:${password}`)),
  );
}

function hash(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** The error body of the OCI distribution specification, as a whole HTTP answer that ends the connection. */
export function errorAnswer(status: string, code: string, message: string, head = ""): string {
  const body = JSON.stringify({ errors: [{ code, message }] });
  const isHead = head.startsWith("HEAD ");
  return [
    `HTTP/1.1 ${status}`,
    "Docker-Distribution-Api-Version: registry/2.0",
    ...(status.startsWith("401") ? ['WWW-Authenticate: Basic realm="kpush"'] : []),
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    "",
    isHead ? "" : body,
  ].join("\r\n");
}
