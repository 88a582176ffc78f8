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

/**
 * Makes data messages of any number of chunks: small ones are joined, large ones cut. The one copy
 * that this costs is the price of the channel byte, since a message must never be sent in fragments:
 * the runtime takes each fragment for a message.
 *
 * @param allocate - makes a buffer of a given length, with any content
 */
export function* dataMessages(
  chunks: readonly Uint8Array[],
  allocate: (length: number) => Buffer = (length) => Buffer.allocUnsafe(length),
): Generator<Buffer, void, undefined> {
  let left = 0;
  for (const chunk of chunks) left += chunk.length;
  let message: Buffer | undefined;
  let end = 0;
  for (const chunk of chunks) {
    for (let start = 0; start < chunk.length;) {
      if (!message) {
        message = allocate(1 + Math.min(left, maxPayload));
        message[0] = Channel.data;
        end = 1;
      }
      const part = chunk.subarray(start, start + message.length - end);
      message.set(part, end);
      end += part.length;
      start += part.length;
      left -= part.length;
      if (end < message.length) break;
      yield message;
      message = undefined;
    }
  }
}

/**
 * Buffers of full messages, used again once they are sent: fresh ones for each cost page faults and
 * garbage collection, and memory that grows with the rate.
 */
export class MessageBuffers {
  readonly #free: Buffer[] = [];
  readonly #inUse: Buffer[] = [];

  readonly allocate = (length: number): Buffer => {
    const full = length === 1 + maxPayload;
    const buffer = (full ? this.#free.pop() : undefined) ?? Buffer.allocUnsafe(length);
    this.#inUse.push(buffer);
    return buffer;
  };

  /** The oldest message in use has been sent; they are sent in order. */
  readonly sent = (): void => {
    const buffer = this.#inUse.shift();
    if (buffer?.length === 1 + maxPayload) this.#free.push(buffer);
  };
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
