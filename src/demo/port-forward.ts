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
    const portBytes = Uint8Array.of(port & 0xff, port >>> 8);
    send(socket, 2 * index, portBytes);
    send(socket, 2 * index + 1, portBytes);
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
    if (!stream.write(message.subarray(1))) socket.pause();
  });

  // What the client sends before every port is dialled must wait.
  let dialling = ports.length;
  socket.pause();
  const forwardPort = async (port: number, index: number): Promise<void> => {
    try {
      const stream = await dial(port).finally(() => {
        dialling -= 1;
        if (dialling === 0) socket.resume();
      });
      streams.set(2 * index, stream);
      stream.on("drain", () => socket.resume());
      if (socket.readyState === socket.CLOSED) stream.destroy();
      await forwardToClient(stream, socket, 2 * index);
      await delayOrFailure(stream, closeDelay);
    } catch (error) {
      send(socket, 2 * index + 1, Buffer.from(failureText(port, error)));
    }
  };
  void Promise.all(ports.map(forwardPort)).then(() => {
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

/** Lets the client's bytes go on for a while; rejects at once when they reach no one. */
function delayOrFailure(stream: Duplex, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    setTimeout(resolve, milliseconds).unref();
  });
}

function send(socket: WebSocket, channel: number, payload: Uint8Array, sent?: () => void): void {
  const message = Buffer.allocUnsafe(payload.length + 1);
  message[0] = channel;
  message.set(payload, 1);
  socket.send(message, sent);
}

/** A failure in the words of containerd, which clients tell the causes by. */
function failureText(port: number, error: unknown): string {
  const address = `127.0.0.1:${port}`;
  const words: Record<string, string> = {
    ECONNREFUSED: `failed to connect to localhost:${port}: dial tcp4 ${address}: connect: connection refused`,
    ECONNRESET: `readfrom tcp4 ${address}: write: connection reset by peer`,
    EPIPE: `readfrom tcp4 ${address}: write: broken pipe`,
  };
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return `error forwarding port ${port} to pod demo, uid : ${words[code] ?? messageOf(error)}`;
}
