import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { messageOf } from "../errors.ts";

/** The subprotocol of Kubernetes' WebSocket port-forward that this server speaks. */
export const portForwardProtocol = "v4.channel.k8s.io";

/** Opens the byte stream that stands for a port of a pod; rejects as a refused connection would. */
export type Dial = (namespace: string, pod: string, port: number) => Promise<Duplex>;

/** Payload of one message to the client at most, as the real servers copy (32 KiB). */
const chunkBytes = 32 * 1024;
/** Bytes that may wait in a WebSocket before the pod's side is paused. */
const highWater = 256 * 1024;

/**
 * Serves one accepted port-forward WebSocket as a container runtime does: for port i, channel 2i
 * carries data both ways and channel 2i+1 errors to the client. Each channel begins with the port as
 * two bytes, little-endian, before anything is dialled. When all ports have ended it closes with
 * 1000, whatever happened. (kubernetes cri-streaming pkg/streaming/portforward/websocket.go,
 * containerd internal/cri/server/sandbox_portforward_linux.go)
 *
 * @param dial - opens a port of this pod
 * @param closeDelay - milliseconds between the pod's end and the close; containerd waits 1 s
 */
export function servePortForward(
  socket: WebSocket,
  ports: readonly number[],
  dial: (port: number) => Promise<Duplex>,
  closeDelay: number,
): void {
  socket.binaryType = "nodebuffer";
  const streams = new Map<number, Duplex>();
  for (const [index, port] of ports.entries()) {
    const frame = Uint8Array.of(0, port & 0xff, port >>> 8);
    for (const channel of [2 * index, 2 * index + 1]) {
      frame[0] = channel;
      socket.send(Uint8Array.from(frame));
    }
  }

  socket.on("error", () => socket.terminate());
  socket.on("close", () => {
    for (const stream of streams.values()) stream.destroy();
  });
  socket.on("message", (data: RawData) => {
    const message = data as Buffer; // by binaryType
    const stream = streams.get(message[0] ?? -1);
    // Empty messages, unknown channels and late data are ignored, as the real servers do.
    if (!stream?.writable || message.length < 2) return;
    if (stream.write(message.subarray(1))) return;
    socket.pause();
    stream.once("drain", () => socket.resume());
  });

  // What the client sends before the pod has answered must wait.
  socket.pause();
  const ended = ports.map(async (port, index) => {
    try {
      const stream = await dial(port);
      if (socket.readyState !== socket.OPEN) return stream.destroy();
      streams.set(2 * index, stream);
      if (streams.size === ports.length) socket.resume();
      await forwardToClient(stream, socket, 2 * index);
      await new Promise((resolve) => setTimeout(resolve, closeDelay));
    } catch (error) {
      send(
        socket,
        2 * index + 1,
        Buffer.from(`error forwarding port ${port} to pod: ${messageOf(error)}`),
      );
    }
    return undefined;
  });
  void Promise.all(ended).then(() => {
    socket.resume(); // else the answer to the close frame is never read
    socket.close(1000);
  });
}

/** Resolves when the pod has ended and all its bytes are sent; rejects when the pod resets. */
function forwardToClient(stream: Duplex, socket: WebSocket, channel: number): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on("data", (data: Buffer) => {
      for (let start = 0; start < data.length; start += chunkBytes) {
        send(socket, channel, data.subarray(start, start + chunkBytes), () => {
          if (stream.isPaused() && socket.bufferedAmount <= highWater) stream.resume();
        });
      }
      if (socket.bufferedAmount > highWater) stream.pause();
    });
    stream.on("end", resolve);
    stream.on("error", reject);
    stream.on("close", () => {
      socket.resume(); // a pause for a drain that will not come
      resolve();
    });
  });
}

function send(socket: WebSocket, channel: number, payload: Uint8Array, sent?: () => void): void {
  const message = Buffer.allocUnsafe(payload.length + 1);
  message[0] = channel;
  message.set(payload, 1);
  socket.send(message, sent);
}
