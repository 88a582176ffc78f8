import type { ClientRequest, IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { KubeConfig } from "@kubernetes/client-node";
import { WebSocketHandler } from "@kubernetes/client-node/dist/web-socket-handler.js";
import { WebSocket } from "ws";
import type { ClientOptions } from "ws";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { OpenFailure, refusedUpgrade } from "./failures.ts";
import { portForwardProtocol } from "./frames.ts";
import type { TunnelTarget, TunnelTimings } from "./types.ts";

export interface UpgradeOptions {
  config: Pick<KubeConfig, "getCurrentCluster" | "applyToHTTPSOptions">;
  target: TunnelTarget;
  timings: TunnelTimings;
  explainFailure: (error: unknown) => KpushError;
  /** Gets the WebSocket in the moment that it opens: frames may come before any `await` goes on. */
  onOpen: (socket: WebSocket, connection: Socket) => void;
  /** Ends the attempt; has no effect on a WebSocket that is open. */
  signal: AbortSignal;
}

/** client-node would take the process's own streams for exec's sake; a port-forward has none. */
const noStreams = {
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
};
/** Bytes of an answer that is no upgrade, to be read at most. */
const maxBody = 64 * 1024;

/** Path of the port-forward subresource, percent-encoded. */
function portForwardPath({ namespace, name, port }: TunnelTarget): string {
  const [space, pod] = [encodeURIComponent(namespace), encodeURIComponent(name)];
  return `/api/v1/namespaces/${space}/pods/${pod}/portforward?ports=${port}`;
}

/**
 * Opens one port-forward WebSocket through client-node's handler, which knows the cluster's address
 * and credentials, with a socket of our own making. Never resolves where it succeeds: the opening is
 * the WebSocket's `open` event.
 *
 * @throws OpenFailure, or the signal's reason; only before `open`
 */
export async function upgrade(options: UpgradeOptions): Promise<never> {
  const { config, target, signal } = options;
  // Of all that KubeConfig is, the handler uses these two.
  const kubeConfig: unknown = {
    getCurrentCluster: () => withoutSlash(config),
    applyToHTTPSOptions: (request: RequestOptions) => config.applyToHTTPSOptions(request),
  };
  return await new Promise<never>((_resolve, reject) => {
    const factory = (uri: string, _protocols: string[], request: ClientOptions): unknown => {
      signal.throwIfAborted();
      return connectSocket(uri, request, options, reject);
    };
    const handler = new WebSocketHandler(
      kubeConfig as KubeConfig,
      factory as WebSocketHandler["socketFactory"],
      noStreams,
    );
    handler.connect(portForwardPath(target), null, null).catch((error: unknown) => {
      // Credentials that could not be had; what happened to the socket was told before.
      reject(signal.aborted ? (signal.reason as Error) : asFailure(error, options));
    });
  });
}

function withoutSlash(
  config: UpgradeOptions["config"],
): ReturnType<KubeConfig["getCurrentCluster"]> {
  const cluster = config.getCurrentCluster();
  return cluster && { ...cluster, server: cluster.server.replace(/\/+$/, "") };
}

function connectSocket(
  uri: string,
  requestOptions: ClientOptions,
  options: UpgradeOptions,
  reject: (reason: Error) => void,
): WebSocket {
  let request: ClientRequest | undefined;
  const socket = new WebSocket(uri, [portForwardProtocol], {
    ...requestOptions,
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: 1024 * 1024,
    skipUTF8Validation: true,
    finishRequest: (sent) => {
      request = sent;
      sent.end();
    },
  });
  const giveUp = (reason: Error) => {
    reject(reason);
    socket.terminate();
  };
  // The whole way to the upgrade has one limit; `handshakeTimeout` would be one of silence.
  const timer = setTimeout(() => giveUp(timedOut(request, options)), options.timings.handshake);
  const abort = () => giveUp(options.signal.reason as Error);
  options.signal.addEventListener("abort", abort);
  const settle = () => {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", abort);
  };
  socket.on("unexpected-response", (_request, response) => {
    void readBody(response, options.timings.close).then((body) => {
      settle();
      // The WebSocket is left as it is: to terminate it would close a connection that can be kept.
      reject(refusedUpgrade(options.target, response.statusCode ?? 0, body));
    });
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    settle();
    const closed = error.code === "ECONNRESET" || error.code === "EPIPE";
    const stale = closed && request?.reusedSocket === true;
    reject(
      stale ? new OpenFailure("stale", options.explainFailure(error)) : asFailure(error, options),
    );
  });
  let connection: Socket | undefined;
  socket.on("upgrade", (response) => {
    connection = response.socket.setKeepAlive(true, 30_000);
  });
  socket.on("open", () => {
    settle();
    if (!connection) throw new Error("a WebSocket opened without an upgrade");
    // The handler's own reader throws at an empty message, and would end the process.
    socket.onmessage = null;
    options.onOpen(socket, connection);
  });
  return socket;
}

/** Reads an answer's text; an answer that does not end is cut off, with its connection. */
async function readBody(response: IncomingMessage, limit: number): Promise<string> {
  const timer = setTimeout(() => response.destroy(), limit);
  let body = "";
  try {
    response.setEncoding("utf8");
    for await (const text of response) {
      if (body.length < maxBody) body += String(text);
      else response.destroy();
    }
  } catch {
    // What came is enough to tell what answered.
  } finally {
    clearTimeout(timer);
  }
  return body.slice(0, maxBody);
}

/** How far the handshake came says what to look at. */
function timedOut(
  request: ClientRequest | undefined,
  { timings, config }: UpgradeOptions,
): OpenFailure {
  const server = plain(config.getCurrentCluster()?.server ?? "the API server");
  const within = `within ${timings.handshake / 1000} s`;
  const socket = request?.socket as Socket | TLSSocket | null | undefined;
  const error = (message: string, hint: string) =>
    new OpenFailure("transient", new KpushError("CLUSTER_UNREACHABLE", message, { hint }));
  if (!socket || socket.connecting) {
    return error(
      `${server} did not accept a connection ${within}`,
      "Check the network, VPN or proxy.",
    );
  }
  if ("encrypted" in socket && !socket.getPeerFinished()) {
    return error(
      `${server} did not finish the TLS handshake ${within}`,
      "Check that this port speaks TLS.",
    );
  }
  return error(
    `${server} did not answer the request for a tunnel ${within}`,
    "Check with `kubectl port-forward`; a gateway before the API server may not support WebSockets.",
  );
}

function asFailure(error: unknown, { explainFailure }: UpgradeOptions): OpenFailure {
  if (error instanceof KpushError) return new OpenFailure("lasting", error);
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  if (code === undefined && /subprotocol|Sec-WebSocket|Upgrade header/.test(String(message))) {
    const text = `something before the API server does not speak WebSocket as it should: ${plain(String(message))}`;
    return new OpenFailure("lasting", new KpushError("TUNNEL_FAILED", text, { cause: error }));
  }
  const explained = explainFailure(error);
  const lasting = explained.code !== "CLUSTER_UNREACHABLE" || !passing.has(String(code));
  return new OpenFailure(lasting ? "lasting" : "transient", explained);
}

/** System errors that a second attempt may not meet; a name that does not resolve is not among them. */
const passing = new Set([
  ...[
    "ECONNREFUSED",
    "ECONNRESET",
    "EPIPE",
    "ETIMEDOUT",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENETDOWN",
  ],
  ...["EAI_AGAIN", "EADDRNOTAVAIL", "EMFILE", "ECONNABORTED"],
]);
