import { connect as openConnection, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { KpushError, messageOf } from "../errors.ts";
import { plain } from "../image/text.ts";
import { podOf } from "./failures.ts";
import { Pin } from "./pin.ts";
import type { Tunnel, TunnelOptions, TunnelTarget } from "./types.ts";

export type DialOptions = Pick<TunnelOptions, "pin" | "signal"> & {
  /** Milliseconds until a connection is there: 1_000. A NetworkPolicy drops it without a word. */
  limit?: number;
};

/**
 * The way to the registry from inside the cluster: straight to the pod's own address. Only for who is
 * known to be there, as elsewhere that address may be anybody's.
 *
 * `connect()` rejects with a KpushError `TUNNEL_FAILED` where the pod cannot be dialled, and with what
 * `pin` threw.
 */
export function openDialTunnel({ pin: lookUp, signal, limit = 1_000 }: DialOptions): Tunnel {
  const pin = new Pin(lookUp);
  const sockets = new Set<Socket>();
  let firstError: KpushError | undefined;
  const end = (reason: unknown) => {
    for (const socket of sockets) socket.destroy(reason as Error);
  };
  const abort = () => end(signal.reason);
  signal.addEventListener("abort", abort, { once: true });

  async function attempt(target: TunnelTarget): Promise<Duplex> {
    try {
      const socket = await dial(target, limit, sockets);
      socket.on("error", (error) => {
        const lost = failure(target, error);
        firstError ??= lost;
        pin.doubt(target, lost);
      });
      return socket;
    } catch (error) {
      signal.throwIfAborted();
      throw failure(target, error);
    }
  }

  return {
    async connect() {
      signal.throwIfAborted();
      const target = await pin.target();
      try {
        return await attempt(target);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof KpushError) pin.doubt(target, error);
        const next = await pin.target();
        if (next.uid === target.uid) throw error;
        return await attempt(next);
      }
    },
    keepSpares() {
      // A connection costs one short round trip: there is nothing to open ahead.
    },
    takeError() {
      const error = firstError;
      firstError = undefined;
      return error;
    },
    [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", abort);
      end(undefined);
      return Promise.resolve();
    },
  };
}

function dial({ ip, port }: TunnelTarget, limit: number, sockets: Set<Socket>): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (ip === undefined || isIP(ip) === 0) {
      reject(new Error("the pod has no address"));
      return;
    }
    const socket = openConnection({ host: ip, port, noDelay: true });
    sockets.add(socket);
    const timer = setTimeout(() => socket.destroy(new Error("no answer")), limit);
    socket.once("connect", () => {
      socket.off("error", reject);
      clearTimeout(timer);
      resolve(socket);
    });
    socket.once("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      sockets.delete(socket);
      reject(new Error("closed"));
    });
  });
}

function failure(target: TunnelTarget, error: unknown): KpushError {
  const why = plain(messageOf(error), 300);
  return new KpushError("TUNNEL_FAILED", `the connection to ${podOf(target)} failed: ${why}`, {
    cause: error,
  });
}
