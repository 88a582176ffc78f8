import type { WebSocket } from "ws";
import { dataMessages, MessageBuffers } from "./frames.ts";

type Done = (error?: Error | null) => void;

/** Queued bytes at which writing waits, and at which it goes on: each is held twice, plain and encrypted. */
const highWater = 256 * 1024;
const lowWater = 64 * 1024;

/** The sending side of a WebSocket: what was taken, what still waits, and who waits for it. */
export class Outbox {
  readonly #webSocket: WebSocket;
  readonly #onFlushed: () => void;
  readonly #buffers = new MessageBuffers();
  #sent = 0;
  #waiting: Done | undefined;
  #waitBelow = 0;

  /** @param onFlushed - called when queued bytes left this process */
  constructor(webSocket: WebSocket, onFlushed: () => void) {
    this.#webSocket = webSocket;
    this.#onFlushed = onFlushed;
  }

  /** Bytes taken so far. */
  get sent(): number {
    return this.#sent;
  }

  /** Bytes that wait in this process. */
  get queued(): number {
    return this.#webSocket.bufferedAmount;
  }

  /** Sends chunks; calls `done` when there is room for more. */
  send(chunks: readonly Uint8Array[], done: Done): void {
    for (const message of dataMessages(chunks, this.#buffers.allocate)) {
      this.#sent += message.length - 1;
      this.#webSocket.send(message, this.#flushed);
    }
    if (this.queued <= highWater) done();
    else this.#wait(lowWater, done);
  }

  /** Calls `done` when nothing waits any more. */
  whenEmpty(done: Done): void {
    if (this.queued === 0) done();
    else this.#wait(0, done);
  }

  /** Calls `done` when the stream is given up, and not before. */
  whenReleased(done: Done): void {
    this.#wait(Number.NEGATIVE_INFINITY, done);
  }

  /** Lets go whoever waits. */
  release(): void {
    const done = this.#waiting;
    this.#waiting = undefined;
    done?.();
  }

  #wait(below: number, done: Done): void {
    this.#waitBelow = below;
    this.#waiting = done;
  }

  readonly #flushed: Done = (error) => {
    if (error) return; // the WebSocket's close follows
    this.#buffers.sent();
    this.#onFlushed();
    if (this.queued <= this.#waitBelow) this.release();
  };
}
