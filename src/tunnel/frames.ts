/**
 * The framing of `v4.channel.k8s.io` for one port: a message is one channel byte and a payload.
 * (k8s.io/cri-streaming pkg/streaming/portforward/websocket.go)
 */
export const portForwardProtocol = "v4.channel.k8s.io";

/** Data goes both ways; on `error` the container runtime says why it ended. */
export const Channel = { data: 0, error: 1 } as const;
export type Channel = (typeof Channel)[keyof typeof Channel];

/** Payload bytes of one message at most. Larger ones gain nothing, and the runtime's limit is 32 MiB. */
export const maxPayload = 64 * 1024;

/** One WebSocket frame with data: its pieces go on the wire one behind the other. */
export interface DataFrame {
  pieces: Uint8Array[];
  /** Of data; the header and the channel are not counted. */
  bytes: number;
}

/** FIN and the opcode of binary data; the bit that says that a mask follows (RFC 6455 section 5.2). */
const binary = 0x82;
const masked = 0x80;

/**
 * Frames any number of chunks: small ones are joined, large ones cut. Each is a whole message, since
 * the runtime takes each fragment for a message. The chunks are not copied: with the header and the
 * channel byte in a piece of their own the socket gathers them, which is a fifth less CPU time than
 * one buffer for each message (measured).
 *
 * @param mask - makes four unpredictable bytes for each frame; without it they are zero, which is as
 *   legal, and leaves the data as it is
 */
export function* dataFrames(
  chunks: readonly Uint8Array[],
  mask?: () => Uint8Array,
): Generator<DataFrame, void, undefined> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    for (let start = 0; start < chunk.length;) {
      const part = chunk.subarray(start, start + maxPayload - bytes);
      parts.push(part);
      bytes += part.length;
      start += part.length;
      if (bytes < maxPayload) continue;
      yield dataFrame(parts, bytes, mask?.());
      [parts, bytes] = [[], 0];
    }
  }
  if (bytes > 0) yield dataFrame(parts, bytes, mask?.());
}

function dataFrame(parts: Uint8Array[], bytes: number, key: Uint8Array | undefined): DataFrame {
  const length = bytes + 1;
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const head = Buffer.alloc(size + 5);
  head[0] = binary;
  head[1] = masked | (size === 2 ? length : size === 4 ? 126 : 127);
  if (size > 2) head.writeUIntBE(length, size - Math.min(6, size - 2), Math.min(6, size - 2));
  head[size + 4] = Channel.data;
  if (!key) return { pieces: [head, ...parts], bytes };
  head.set(key, size);
  const body = Buffer.concat([head.subarray(size + 4), ...parts]);
  for (let at = 0; at < body.length; at += 1) body[at] = (body[at] ?? 0) ^ (key[at & 3] ?? 0);
  return { pieces: [head.subarray(0, size + 4), body], bytes };
}

/** Takes a message apart; undefined for an empty one and for channels that are not ours. */
export function parseMessage(message: Buffer): { channel: Channel; payload: Buffer } | undefined {
  const channel = message[0];
  if (channel !== Channel.data && channel !== Channel.error) return undefined;
  return { channel, payload: message.subarray(1) };
}

/**
 * Each channel begins with the port number, two bytes, least significant first, sent before the
 * runtime has dialled: they prove that it listens to us, not that anything listens in the pod. They
 * may come in pieces, in any order of the channels, and with data behind them.
 */
export class PortFrames {
  readonly #port: number;
  readonly #seen = [0, 0];

  constructor(port: number) {
    this.#port = port;
  }

  get complete(): boolean {
    return this.#seen[0] === 2 && this.#seen[1] === 2;
  }

  /**
   * Takes the channel's port bytes off the payload and returns the rest.
   * @throws Error when they name another port
   */
  strip(channel: Channel, payload: Buffer): Buffer {
    let seen = this.#seen[channel] ?? 0;
    let start = 0;
    while (seen < 2 && start < payload.length) {
      const expected = seen === 0 ? this.#port & 0xff : this.#port >>> 8;
      if (payload[start] !== expected) throw new Error("the stream does not begin with the port");
      start += 1;
      seen += 1;
    }
    this.#seen[channel] = seen;
    return start === 0 ? payload : payload.subarray(start);
  }
}

/** Gathers what the runtime says on the error channel, which may come in pieces; at most 4 KiB. */
export class ErrorText {
  #bytes = Buffer.alloc(0);

  add(payload: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, payload.subarray(0, 4096 - this.#bytes.length)]);
  }

  toString(): string {
    return this.#bytes.toString("utf8");
  }
}

/**
 * What a container runtime or kubelet means: `refused`, nothing listens on the port; `gone`, the pod
 * or its sandbox is no more; `reset`, the registry closed the connection; `other`.
 */
export type RuntimeReason = "refused" | "gone" | "reset" | "other";

const reasons: readonly (readonly [RegExp, RuntimeReason])[] = [
  // containerd: `network namespace for sandbox "…" is closed`, `failed to find sandbox`
  // CRI-O: `sandbox … is not running`, `could not find sandbox`
  // kubelet: `pod does not exist`, `pod not found`
  [/network namespace for sandbox .* is closed/is, "gone"],
  [/(failed to|could not|cannot) find (pod )?sandbox/i, "gone"],
  [/sandbox .*is not running/is, "gone"],
  [/\bpod (does not exist|not found)\b/i, "gone"],
  [/connection refused/i, "refused"],
  [/connection reset by peer|broken pipe/i, "reset"],
];

/** Sorts a runtime's or kubelet's error text; the texts are from their sources. */
export function runtimeReason(text: string): RuntimeReason {
  return reasons.find(([pattern]) => pattern.test(text))?.[1] ?? "other";
}
