import { randomFillSync } from "node:crypto";
import type { Socket } from "node:net";
import { dataFrames } from "./frames.ts";

type Done = (error?: Error | null) => void;

/** Queued bytes at which writing waits, and at which it goes on: each is held twice, plain and encrypted. */
const highWater = 256 * 1024;
const lowWater = 64 * 1024;

/**
 * The sending side of a WebSocket: what was taken, what still waits, and who waits for it. Frames with
 * data go to the connection itself; `ws` sends its own, whole ones too, between them.
 */
export class Outbox {
  readonly #connection: Socket;
  readonly #onFlushed: () => void;
  readonly #mask: (() => Uint8Array) | undefined;
  #sent = 0;
  #waiting: Done | undefined;
  #waitBelow = 0;

  /**
   * @param connection - what the WebSocket was opened on
   * @param onFlushed - called when queued bytes left this process
   */
  constructor(connection: Socket, onFlushed: () => void) {
    this.#connection = connection;
    this.#onFlushed = onFlushed;
    // Unpredictable masks protect intermediaries that read along, which TLS does not have.
    if (!("encrypted" in connection)) this.#mask = () => randomFillSync(new Uint8Array(4));
  }

  /** Bytes taken so far. */
  get sent(): number {
    return this.#sent;
  }

  /** Bytes that wait in this process. */
  get queued(): number {
    return this.#connection.writableLength;
  }

  /** Sends chunks, which must stay as they are until they are flushed; calls `done` when there is room for more. */
  send(chunks: readonly Uint8Array[], done: Done): void {
    for (const { pieces, bytes } of dataFrames(chunks, this.#mask)) {
      this.#sent += bytes;
      const last = pieces.pop();
      this.#connection.cork();
      for (const piece of pieces) this.#connection.write(piece);
      if (last) this.#connection.write(last, this.#flushed);
      this.#connection.uncork();
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
    this.#onFlushed();
    if (this.queued <= this.#waitBelow) this.release();
  };
}
