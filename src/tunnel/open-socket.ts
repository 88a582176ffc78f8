import { KpushError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { OpenFailure, podOf } from "./failures.ts";
import type { FailureKind } from "./failures.ts";
import { TunnelSocket } from "./socket.ts";
import type { TunnelSocketOptions } from "./socket.ts";
import { upgrade } from "./upgrade.ts";
import type { UpgradeOptions } from "./upgrade.ts";

export interface OpenSocketOptions extends TunnelSocketOptions, Omit<UpgradeOptions, "attach"> {
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
  const { signal, timings, onLost, onClose } = options;
  const socket = new TunnelSocket(options);
  let timer: NodeJS.Timeout | undefined;
  let open = false;
  const abort = () => socket.terminate(signal.reason as Error);
  signal.addEventListener("abort", abort);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on("close", () => open && onClose(socket));
      socket.on("error", (error) => {
        if (!(error instanceof KpushError)) {
          reject(error);
          return;
        }
        if (open) onLost(socket, error);
        else reject(new OpenFailure(kinds[error.code] ?? "transient", error));
      });
      const opened = () => {
        open = true;
        resolve();
      };
      const attach: UpgradeOptions["attach"] = (webSocket) => {
        socket.attach(webSocket, opened);
        webSocket.on("open", () => {
          timer = setTimeout(() => socket.terminate(noPortFrames(options)), timings.portFrames);
        });
      };
      upgrade({ ...options, attach }).catch(reject);
    });
    // What ended in the same breath as it opened must not be handed out: nobody heard its error.
    const { errored } = socket;
    if (errored instanceof KpushError)
      throw new OpenFailure(kinds[errored.code] ?? "transient", errored);
    return socket;
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
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
