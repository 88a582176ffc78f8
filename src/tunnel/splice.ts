import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * Joins a local connection and a tunnel socket until both are closed. Backpressure goes both ways, an
 * end is passed on after the last byte, and a tunnel that was lost resets the local connection, so
 * that whoever speaks on it does not take a part for the whole.
 *
 * @param linger - milliseconds that the local side is given to take the last bytes
 */
export function splice(local: Socket, tunnel: Duplex, linger: number): void {
  local.pipe(tunnel);
  tunnel.pipe(local);
  tunnel.on("error", () => {
    // Bytes in flight first; a reset throws away what the kernel has not sent.
    if (local.writableLength === 0) local.resetAndDestroy();
    else local.once("drain", () => local.resetAndDestroy());
  });
  tunnel.on("close", () => {
    // The local side may still send; to close on unread bytes could destroy what it has yet to read.
    local.unpipe(tunnel);
    local.resume();
    if (local.writable) local.end();
    const timer = setTimeout(() => local.destroy(), linger);
    local.on("close", () => clearTimeout(timer));
  });
  local.on("close", () => {
    if (local.readableEnded && local.writableFinished) return;
    tunnel.destroy();
  });
}
