import { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { KpushError } from "../errors.ts";
import { podOf, runtimeError, silentEnd } from "./failures.ts";
import {
  Channel,
  dataMessages,
  ErrorText,
  MessageBuffers,
  parseMessage,
  PortFrames,
  runtimeReason,
} from "./frames.ts";
import { Liveness } from "./liveness.ts";
import type { LivenessView } from "./liveness.ts";
import type { TunnelTarget, TunnelTimings } from "./types.ts";

export interface TunnelSocketOptions {
  target: TunnelTarget;
  timings: TunnelTimings;
  /** The pod takes no data; what to say of it. */
  onStall: (message: string) => void;
}

/** Queued bytes at which writing waits, and at which it goes on. More gain no throughput (measured). */
const highWater = 1024 * 1024;
const lowWater = 256 * 1024;
/**
 * Milliseconds between a registry's last words and its reset. Go's server waits 500 ms before it
 * closes on a client that still sends (net/http, rstAvoidanceDelay).
 */
const earlyAnswer = 2_000;

/**
 * One WebSocket as a byte stream to one port of one pod. It is a `Duplex` that ends as a TCP socket
 * does, with these differences, all of the protocol's making:
 * - `end()` cannot be told to the pod. The stream stays readable, and closes when the pod does, or
 *   when an answer has come and `halfClose` passes without more of it.
 * - The pod's end ends both directions.
 * - What came before an error is delivered before the error, and a reset right behind an answer is
 *   taken for the end: an early 401 is worth more than the reset that follows it.
 *
 * Errors are KpushErrors `REGISTRY_REFUSED`, `POD_GONE` and `TUNNEL_FAILED`. `close` comes when the
 * WebSocket is closed as well.
 */
export class TunnelSocket extends Duplex {
  readonly target: TunnelTarget;
  readonly #timings: TunnelTimings;
  readonly #onStall: (message: string) => void;
  readonly #ports: PortFrames;
  readonly #text = new ErrorText();
  readonly #buffers = new MessageBuffers();
  #webSocket: WebSocket | undefined;
  #liveness: Liveness | undefined;
  #opened: () => void = () => undefined;
  #lost: unknown;
  #sent = 0;
  #received = 0;
  #receivedAt = Number.NEGATIVE_INFINITY;
  /** Nothing was sent since the last byte came: no answer is owed. */
  #answered = false;
  #localEnded = false;
  #remoteEnded = false;
  #halfClose: NodeJS.Timeout | undefined;
  /** Told when the queue has emptied below `#waitBelow`. */
  #waiting: ((error?: Error) => void) | undefined;
  #waitBelow = lowWater;
  /** What ends the stream once the reader has taken all that came before it. */
  #failure: KpushError | undefined;

  constructor({ target, timings, onStall }: TunnelSocketOptions) {
    super({
      allowHalfOpen: false,
      readableHighWaterMark: 256 * 1024,
      writableHighWaterMark: 256 * 1024,
    });
    this.target = target;
    this.#timings = timings;
    this.#onStall = onStall;
    this.#ports = new PortFrames(target.port);
  }

  /** Bytes that came from the pod. */
  get bytesRead(): number {
    return this.#received;
  }

  /** Bytes that were taken for the pod, sent or queued. */
  get bytesWritten(): number {
    return this.#sent;
  }

  /** Bytes that wait in this process to be sent. */
  get queuedBytes(): number {
    return this.#webSocket?.bufferedAmount ?? 0;
  }

  /**
   * Takes a WebSocket over while it connects; from its opening on, all its events are ours.
   * @param opened - called when both port frames have come
   */
  attach(webSocket: WebSocket, opened: () => void): void {
    webSocket.binaryType = "nodebuffer";
    webSocket.on("open", () => {
      if (this.destroyed) {
        webSocket.terminate();
        return;
      }
      this.#webSocket = webSocket;
      this.#opened = opened;
      this.#liveness = new Liveness(this.#timings, this.#view(webSocket));
      // By binaryType; a text frame is a Buffer as well.
      webSocket.on("message", (data) => this.#message(data as Buffer));
      webSocket.on("ping", () => this.#liveness?.received());
      webSocket.on("pong", (payload) => this.#liveness?.pong(payload.toString("latin1")));
      webSocket.on("error", (error) => (this.#lost = error));
      webSocket.on("close", (code) => this.#closed(code));
    });
  }

  #view(webSocket: WebSocket): LivenessView {
    const pod = podOf(this.target);
    return {
      sent: () => this.#sent,
      queued: () => this.queuedBytes,
      paused: () => webSocket.isPaused,
      ping: (payload) => webSocket.ping(payload, undefined, () => undefined),
      onStall: (seconds) => this.#onStall(`${pod} has taken no data for ${seconds} s`),
      onDead: (reason) => this.#fail(new KpushError("TUNNEL_FAILED", `${reason} (${pod})`)),
    };
  }

  /** Ends at once, without the closing handshake, also when that is under way. */
  terminate(error?: Error): void {
    this.destroy(error);
    this.#webSocket?.terminate();
  }

  override _read(): void {
    if (this.#webSocket?.isPaused) {
      this.#webSocket.resume();
      this.#liveness?.received();
    }
  }

  // Every way of reading comes through here, so that an error can wait for the last byte.
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    if (this.#failure && this.readableLength === 0)
      queueMicrotask(() => this.destroy(this.#failure));
    return chunk;
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.#send([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#localEnded = true;
    if (this.#remoteEnded) {
      done();
      return;
    }
    if (this.#answered || this.#sent === 0) this.#restartHalfClose();
    if (this.queuedBytes === 0) done();
    else this.#waitUntil(0, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#halfClose);
    this.#liveness?.stop();
    this.#release();
    const webSocket = this.#webSocket;
    if (!webSocket || webSocket.readyState === webSocket.CLOSED) {
      done(error);
      return;
    }
    webSocket.once("close", () => done(error));
    if (error || !this.readableEnded || !this.writableFinished) {
      webSocket.terminate();
      return;
    }
    webSocket.resume(); // else the answer to the close frame is not read
    webSocket.close();
    // A runtime whose pod does not read never answers.
    const timer = setTimeout(() => webSocket.terminate(), this.#timings.close);
    webSocket.once("close", () => clearTimeout(timer));
  }

  #send(chunks: readonly Uint8Array[], done: (error?: Error | null) => void): void {
    const webSocket = this.#webSocket;
    // After the pod's end bytes go nowhere, as in TCP before the reset comes; the reader learns of it.
    if (webSocket?.readyState !== 1) {
      done();
      return;
    }
    for (const message of dataMessages(chunks, this.#buffers.allocate)) {
      this.#sent += message.length - 1;
      webSocket.send(message, this.#flushed);
    }
    this.#answered = false;
    if (this.queuedBytes <= highWater) done();
    else this.#waitUntil(lowWater, done);
  }

  #waitUntil(below: number, done: (error?: Error | null) => void): void {
    this.#waitBelow = below;
    this.#waiting = done;
  }

  readonly #flushed = (error?: Error | null): void => {
    if (error) return; // the WebSocket's close follows
    this.#buffers.sent();
    this.#liveness?.flushed();
    if (this.queuedBytes <= this.#waitBelow) this.#release();
  };

  #release(): void {
    const done = this.#waiting;
    this.#waiting = undefined;
    done?.();
  }

  #message(data: Buffer): void {
    this.#liveness?.received();
    const message = parseMessage(data);
    if (!message || this.#remoteEnded || this.destroyed) return;
    const before = this.#ports.complete;
    let payload: Buffer;
    try {
      payload = this.#ports.strip(message.channel, message.payload);
    } catch (cause) {
      this.#fail(
        new KpushError(
          "TUNNEL_FAILED",
          `the cluster opened another port than ${this.target.port}`,
          { cause },
        ),
      );
      return;
    }
    if (!before && this.#ports.complete) this.#opened();
    if (payload.length === 0) return;
    if (message.channel === Channel.error) {
      this.#text.add(payload);
      return;
    }
    this.#received += payload.length;
    this.#receivedAt = performance.now();
    this.#answered = true;
    if (this.#localEnded) this.#restartHalfClose();
    if (!this.push(payload)) this.#webSocket?.pause();
  }

  #restartHalfClose(): void {
    clearTimeout(this.#halfClose);
    this.#halfClose = setTimeout(() => this.#end(), this.#timings.halfClose);
  }

  #closed(code: number): void {
    this.#liveness?.stop();
    if (this.#remoteEnded || this.destroyed) return;
    const text = this.#text.toString();
    if (runtimeReason(text) === "reset" && performance.now() - this.#receivedAt < earlyAnswer) {
      // The registry answered before it had read all, and closed: what counts is the answer.
      this.#end();
    } else if (text !== "") {
      this.#fail(runtimeError(this.target, text));
    } else if (code !== 1000 && code !== 1005) {
      const message = `the connection to the cluster was lost (${podOf(this.target)})`;
      this.#fail(new KpushError("TUNNEL_FAILED", message, { cause: this.#lost }));
    } else if (this.#received === 0) {
      this.#fail(silentEnd(this.target));
    } else {
      this.#end();
    }
    this.#release();
  }

  /** The pod ended, or is taken to have. */
  #end(): void {
    if (this.#remoteEnded) return;
    this.#remoteEnded = true;
    this.push(null);
  }

  #fail(error: KpushError): void {
    if (this.#remoteEnded) return;
    this.#remoteEnded = true;
    this.#failure = error;
    this.#webSocket?.terminate();
    if (this.readableLength === 0) this.destroy(error);
  }
}
