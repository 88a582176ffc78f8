import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { KpushError } from "../errors.ts";
import { podOf, runtimeError, silentEnd } from "./failures.ts";
import { Channel, ErrorText, parseMessage, PortFrames, runtimeReason } from "./frames.ts";
import { Liveness } from "./liveness.ts";
import { Outbox } from "./outbox.ts";
import type { TunnelTarget, TunnelTimings } from "./types.ts";

export interface TunnelSocketOptions {
  target: TunnelTarget;
  timings: TunnelTimings;
  /** Both port frames have come. */
  onOpen: () => void;
  /** The pod takes no data; what to say of it. */
  onStall: (message: string) => void;
}

type Done = (error?: Error | null) => void;

/** Bytes that may wait for a slow reader, or for the outbox. */
const highWaterMark = 256 * 1024;
/**
 * Milliseconds between a registry's last words and its reset. Go's server waits 500 ms before it
 * closes on a client that still sends (net/http, rstAvoidanceDelay).
 */
const earlyAnswer = 2_000;

/**
 * One open WebSocket as a byte stream to one port of one pod. It is a `Duplex` that ends as a TCP
 * socket does, with these differences, all of the protocol's making:
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
  readonly #webSocket: WebSocket;
  readonly #timings: TunnelTimings;
  readonly #onOpen: () => void;
  readonly #outbox: Outbox;
  readonly #liveness: Liveness;
  readonly #ports: PortFrames;
  readonly #text = new ErrorText();
  #open = false;
  #received = 0;
  #receivedAt = Number.NEGATIVE_INFINITY;
  /** Count of sent bytes when the last bytes came: more since then means that an answer is owed. */
  #answeredAt = 0;
  #localEnded = false;
  #remoteEnded = false;
  #halfClose: NodeJS.Timeout | undefined;
  /** What ends the stream once the reader has taken all that came before it. */
  #failure: KpushError | undefined;

  /**
   * @param webSocket - in the moment that it opens, before any frame is read
   * @param connection - what it was opened on
   */
  constructor(
    webSocket: WebSocket,
    connection: Socket,
    { target, timings, onOpen, onStall }: TunnelSocketOptions,
  ) {
    super({ readableHighWaterMark: highWaterMark, writableHighWaterMark: highWaterMark });
    this.target = target;
    this.#webSocket = webSocket;
    this.#timings = timings;
    this.#onOpen = onOpen;
    this.#ports = new PortFrames(target.port);
    this.#outbox = new Outbox(connection, () => this.#liveness.flushed());
    const pod = podOf(target);
    this.#liveness = new Liveness(timings, {
      sent: () => this.#outbox.sent,
      queued: () => this.#outbox.queued,
      paused: () => webSocket.isPaused,
      ping: (payload) => webSocket.ping(payload, undefined, () => undefined),
      onStall: (seconds) => onStall(`${pod} has taken no data for ${seconds} s`),
      onDead: (reason) => this.#fail(new KpushError("TUNNEL_FAILED", `${reason} (${pod})`)),
    });
    let lost: unknown;
    webSocket.binaryType = "nodebuffer";
    // By binaryType; a text frame is a Buffer as well.
    webSocket.on("message", (data) => this.#message(data as Buffer));
    webSocket.on("ping", () => this.#liveness.received());
    webSocket.on("pong", (payload) => this.#liveness.pong(payload.toString("latin1")));
    webSocket.on("error", (error) => (lost = error));
    webSocket.on("close", (code) => this.#closed(code, lost));
  }

  /** Bytes that were taken for the pod, sent or queued. */
  get bytesWritten(): number {
    return this.#outbox.sent;
  }

  /** Bytes that wait in this process to be sent. */
  get queuedBytes(): number {
    return this.#outbox.queued;
  }

  /** True when the local side has ended, and what it asked has been answered as far as is known. */
  get lingering(): boolean {
    return this.#halfClose !== undefined;
  }

  /** Ends at once, without the closing handshake, also when that is under way. */
  terminate(error?: Error): void {
    this.destroy(error);
    this.#webSocket.terminate();
  }

  override _read(): void {
    if (!this.#webSocket.isPaused) return;
    this.#webSocket.resume();
    // From now on silence counts.
    this.#liveness.received();
    if (this.#halfClose) this.#restartHalfClose();
  }

  // Every way of reading comes through here, so that an error can wait for the last byte.
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    if (this.#failure && this.readableLength === 0) {
      queueMicrotask(() => this.destroy(this.#failure));
    }
    return chunk;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: Done): void {
    this.#localEnded = true;
    if (this.#answeredAt === this.#outbox.sent) this.#restartHalfClose();
    this.#outbox.whenEmpty(done);
  }

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.#halfClose);
    this.#liveness.stop();
    this.#outbox.release();
    const webSocket = this.#webSocket;
    if (webSocket.readyState === webSocket.CLOSED) {
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

  #send(chunks: readonly Uint8Array[], done: Done): void {
    const { readyState, OPEN } = this.#webSocket;
    if (readyState === OPEN && !this.#remoteEnded) this.#outbox.send(chunks, done);
    // After the pod's end the writer waits until the reader has found out, which closes the stream.
    else this.#outbox.whenReleased(done);
  }

  #message(data: Buffer): void {
    this.#liveness.received();
    const message = parseMessage(data);
    if (!message || this.#remoteEnded || this.destroyed) return;
    const { channel } = message;
    let payload: Buffer;
    try {
      payload = this.#ports.strip(channel, message.payload);
    } catch (cause) {
      const text = `the cluster opened another port than ${this.target.port}`;
      this.#fail(new KpushError("TUNNEL_FAILED", text, { cause }));
      return;
    }
    if (!this.#open && this.#ports.complete) {
      this.#open = true;
      this.#onOpen();
    }
    if (payload.length === 0) return;
    if (channel === Channel.error) this.#text.add(payload);
    else this.#deliver(payload);
  }

  #deliver(payload: Buffer): void {
    this.#received += payload.length;
    this.#receivedAt = performance.now();
    this.#answeredAt = this.#outbox.sent;
    if (this.#localEnded) this.#restartHalfClose();
    if (!this.push(payload)) this.#webSocket.pause();
  }

  #restartHalfClose(): void {
    clearTimeout(this.#halfClose);
    this.#halfClose = setTimeout(() => {
      // While a slow reader has us wait, nothing can come.
      if (this.#webSocket.isPaused) this.#restartHalfClose();
      else this.#end();
    }, this.#timings.halfClose);
  }

  /** The WebSocket is closed. Its code says nothing; the runtime's text, if there is one, says all. */
  #closed(code: number, lost: unknown): void {
    this.#liveness.stop();
    const text = this.#text.toString();
    const silence = performance.now() - this.#receivedAt;
    if (text !== "") {
      // Behind an answer, a reset only means that the registry did not wait for the rest of the
      // request: what counts is the answer.
      if (runtimeReason(text) === "reset" && silence < earlyAnswer) this.#end();
      else this.#fail(runtimeError(this.target, text));
    } else if (code !== 1000 && code !== 1005) {
      const message = `the connection to the cluster was lost (${podOf(this.target)})`;
      this.#fail(new KpushError("TUNNEL_FAILED", message, { cause: lost }));
    } else if (this.#received === 0) {
      this.#fail(silentEnd(this.target));
    } else {
      this.#end();
    }
  }

  /** The pod ended, or is taken to have. */
  #end(): void {
    if (this.#remoteEnded || this.destroyed) return;
    this.#remoteEnded = true;
    this.once("end", () => this.destroy());
    this.push(null);
  }

  #fail(error: KpushError): void {
    if (this.#remoteEnded || this.destroyed) return;
    this.#remoteEnded = true;
    this.#failure = error;
    this.#webSocket.terminate();
    if (this.readableLength === 0) this.destroy(error);
  }
}
