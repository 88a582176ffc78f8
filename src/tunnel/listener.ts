import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { KpushError, messageOf } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import type { Report } from "../events.ts";
import { plain } from "../image/text.ts";
import { errorAnswer, hasLogin, readBody, readOpening } from "./gate.ts";
import { openLocalAnswers, type LocalAnswer, type LocalAnswers } from "./local-answers.ts";
import { openRelay, type Relay, type RelayOptions } from "./relay.ts";
import { bytesOf, plainRequest } from "./request-head.ts";
import { splice } from "./splice.ts";
import type { Connect, Listener } from "./types.ts";

export interface ListenerOptions {
  connect: Connect;
  /** How plain requests share sockets; without it each connection has one of its own. */
  relay?: RelayOptions | undefined;
  /** Another way for a request that brings so many bytes, where there is one. */
  bulk?: ((bytes: number) => Promise<Duplex | undefined> | undefined) | undefined;
  /** What answers a path on this machine, in the registry's place, if anything does; needs a relay. */
  local?: ((path: string) => LocalAnswer | undefined) | undefined;
  /** Port to take if it is free; any other serves as well. */
  port?: number | undefined;
  report: Report;
  signal: AbortSignal;
  /** Bytes of the first request's header at most (16 KiB), and milliseconds until it is complete (10 s). */
  headLimit?: number;
  headTimeout?: number;
  /** Milliseconds that an ended connection is kept, so that its last bytes arrive (2 s). */
  linger?: number;
}

const username = "kpush";
const usualLinger = 2_000;

/**
 * Listens on 127.0.0.1 and hands each connection to the registry. Every user of the machine can
 * reach the port, and it has the developer's rights in the cluster: so the first request of each
 * connection must carry a random password. After it bytes pass as they are, the login with them: a
 * registry without accounts does not look at it, and it opens nothing but this port.
 *
 * @throws Error of the system when no port can be had
 */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { port = 0, signal } = options;
  signal.throwIfAborted();
  const password = randomBytes(24).toString("base64url");
  const sockets = new Set<Socket>();
  const relay = options.relay && openRelay(options.relay);
  const local =
    options.relay && options.local
      ? openLocalAnswers({ ...options.relay, find: options.local, username, password })
      : undefined;
  let connections = 0;
  let bytesOfClosed = 0;
  const server = createServer(
    { pauseOnConnect: true, allowHalfOpen: true, noDelay: true },
    (socket) => {
      connections += 1;
      sockets.add(socket);
      socket.on("close", () => {
        sockets.delete(socket);
        bytesOfClosed += socket.bytesRead;
      });
      socket.on("error", () => socket.destroy());
      void serve(socket, { ...options, password, relaying: relay, local });
    },
  );
  const listening = await listen(server, port);
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  signal.addEventListener("abort", close);
  if (signal.aborted) close();
  return {
    port: listening,
    username,
    password,
    get connections() {
      return connections;
    },
    get bytes() {
      return [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, bytesOfClosed);
    },
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", close);
      if (!server.listening) return;
      const closed = once(server, "close");
      close();
      await closed;
    },
  };
}

/** Takes the port that is wanted, if it is free. */
async function listen(server: Server, port: number): Promise<number> {
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch (error) {
    if (port === 0) throw error;
    return listen(server, 0);
  }
  return (server.address() as AddressInfo).port;
}

interface Serving extends Omit<ListenerOptions, "local"> {
  password: string;
  relaying: Relay | undefined;
  local: LocalAnswers | undefined;
}

/**
 * Relays the plain requests of a connection; at the first other one it gets a socket of its own. One that
 * is answered here takes the connection with it.
 */
async function serve(socket: Socket, serving: Serving): Promise<void> {
  const { password, relaying, local, report } = serving;
  const { headLimit = 16 * 1024, headTimeout = 10_000, linger = usualLinger } = serving;
  let before: Buffer = Buffer.alloc(0);
  for (let first = true; ; first = false) {
    const opening = await readOpening(socket, before, headLimit, first ? headTimeout : 0);
    if (opening.kind !== "request") {
      if (opening.kind === "closed" && !first) finish(socket, linger);
      else dismiss(socket, answers[opening.kind], linger);
      return;
    }
    const { read, end } = opening;
    const head = read.toString("latin1", 0, end - 4);
    if (!hasLogin(head, username, password)) {
      const why = "this port needs the login of kpush";
      dismiss(socket, errorAnswer("401 Unauthorized", "UNAUTHORIZED", why, head), linger);
      return;
    }
    if (local?.take(head, read, socket)) return;
    try {
      const request = relaying && plainRequest(head);
      if (!request) {
        await passAll(socket, read, bytesOf(head), serving);
        return;
      }
      const got = await readBody(socket, read.subarray(end), request.contentLength);
      if (!got) return void socket.destroy();
      before = got.rest;
      await relaying.forward({ head: request, body: got.body }, socket);
      if (request.close) finish(socket, linger);
      if (request.close || socket.destroyed) return;
    } catch (error) {
      if (socket.destroyed) return;
      const message = plain(messageOf(error));
      report({ type: "debug", message: `no way to the registry for a connection: ${message}` });
      dismiss(socket, unavailable(error, message, head), linger);
      return;
    }
  }
}

/** Bytes pass as they are from here on, over a socket of their own. */
async function passAll(
  socket: Socket,
  read: Buffer,
  bytes: number,
  { connect, relay, bulk, linger = usualLinger }: Serving,
): Promise<void> {
  const tunnel = (await bulk?.(bytes)) ?? relay?.agent.takeIdle() ?? (await connect());
  if (socket.destroyed) {
    tunnel.destroy();
    return;
  }
  tunnel.write(read);
  splice(socket, tunnel, linger);
}

/** Failures that may have passed when an engine tries again. */
const passing: ReadonlySet<string> = new Set<ErrorCode>(["CLUSTER_UNREACHABLE", "TUNNEL_FAILED"]);

/**
 * Engines with a graph store try again after a 5xx (5, 10, 15, 20 s later) and show its status only;
 * a DENIED they take as final, and show its message. The others never try again, and show at most the
 * status (Docker 20.10 and 28.5, Podman 4.3, measured).
 */
function unavailable(error: unknown, message: string, head: string): string {
  return error instanceof KpushError && !passing.has(error.code)
    ? errorAnswer("403 Forbidden", "DENIED", `kpush: ${message}`, head)
    : errorAnswer("503 Service Unavailable", "UNAVAILABLE", `kpush: ${message}`, head);
}

const answers = {
  tls: "HTTP/1.0 400 Bad Request\r\n\r\n",
  "too-large": errorAnswer(
    "431 Request Header Fields Too Large",
    "UNSUPPORTED",
    "the header is too large",
  ),
  timeout: "",
  closed: "",
} as const;

/** The other side has ended; what it was told may still be on its way. */
function finish(socket: Socket, linger: number): void {
  if (socket.destroyed) return;
  socket.end();
  const timer = setTimeout(() => socket.destroy(), linger);
  socket.on("close", () => clearTimeout(timer));
}

/** Says the last word, and takes what still comes, since closing on unread bytes could destroy it. */
function dismiss(socket: Socket, answer: string, linger: number): void {
  if (answer === "") return void socket.destroy();
  socket.end(answer);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), linger);
  socket.on("close", () => clearTimeout(timer));
}
