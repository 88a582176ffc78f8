import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { KpushError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { OpenFailure, podOf } from "./failures.ts";
import type { FailureKind } from "./failures.ts";
import { TunnelSocket } from "./socket.ts";
import type { TunnelSocketOptions } from "./socket.ts";
import { upgrade } from "./upgrade.ts";
import type { UpgradeOptions } from "./upgrade.ts";

export interface OpenSocketOptions
  extends Pick<TunnelSocketOptions, "onStall">, Omit<UpgradeOptions, "onOpen"> {
  /** The socket ended with an error after it was open. */
  onLost: (socket: TunnelSocket, error: KpushError) => void;
  /** It is closed, and was open before. */
  onClose: (socket: TunnelSocket) => void;
}

/**
 * Opens one socket; resolves when both port frames have come.
 *
 * @throws OpenFailure, or the signal's reason
 */
export async function openTunnelSocket(options: OpenSocketOptions): Promise<TunnelSocket> {
  const { signal, timings } = options;
  let socket: TunnelSocket | undefined;
  let timer: NodeJS.Timeout | undefined;
  const abort = () => socket?.terminate(signal.reason as Error);
  signal.addEventListener("abort", abort);
  try {
    return await new Promise<TunnelSocket>((resolve, reject) => {
      const onOpen = (webSocket: WebSocket, connection: Socket) => {
        timer = setTimeout(() => opening.terminate(noPortFrames(options)), timings.portFrames);
        const opening = watch(webSocket, connection, options, resolve, reject);
        socket = opening;
      };
      upgrade({ ...options, onOpen }).catch(reject);
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/** Makes the stream, and has its errors go to whoever is concerned: the opener first, later the pool. */
function watch(
  webSocket: WebSocket,
  connection: Socket,
  { target, timings, onStall, onLost, onClose }: OpenSocketOptions,
  resolve: (socket: TunnelSocket) => void,
  reject: (reason: unknown) => void,
): TunnelSocket {
  let open = false;
  const onOpen = () => {
    open = true;
    resolve(socket);
  };
  const socket = new TunnelSocket(webSocket, connection, { target, timings, onOpen, onStall });
  socket.on("close", () => open && onClose(socket));
  socket.on("error", (error) => {
    if (!open) reject(asFailure(error));
    else if (error instanceof KpushError) onLost(socket, error);
  });
  return socket;
}

function asFailure(error: Error): Error {
  if (!(error instanceof KpushError)) return error;
  return new OpenFailure(kinds[error.code] ?? "transient", error);
}

/** Of errors before a socket is handed out. */
const kinds: Partial<Record<ErrorCode, FailureKind>> = {
  POD_GONE: "gone",
  REGISTRY_REFUSED: "lasting",
};

function noPortFrames({ target, timings }: OpenSocketOptions): KpushError {
  const within = `within ${timings.portFrames / 1000} s`;
  const message = `the cluster opened no way to port ${target.port} of ${podOf(target)} ${within}`;
  return new KpushError("TUNNEL_FAILED", message);
}
