import type { TunnelTimings } from "./types.ts";

/** What is seen of a socket from outside. Bytes are counted from its opening. */
export interface LivenessView {
  /** Bytes handed to the socket so far, and how many of them wait in this process. */
  sent: () => number;
  queued: () => number;
  /** True while nothing is read because the local reader is slow: then nothing can arrive. */
  paused: () => boolean;
  ping: (payload: string) => void;
  onStall: (seconds: number) => void;
  onDead: (reason: string) => void;
}

/**
 * What may lie between us and a pod that does not read, before pings cease to be answered: pongs come
 * from the runtime's read loop, which stands still while the pod takes no data.
 */
const maxUnreadBytes = 64 * 1024;

/**
 * Tells a dead connection from a slow pod. A missing pong means death only while nothing that we sent
 * could hold it up; otherwise no more than a stall is known, which is given much longer. Pings also
 * keep load balancers from cutting an idle socket.
 */
export class Liveness {
  readonly #view: LivenessView;
  readonly #timings: TunnelTimings;
  readonly #timer: NodeJS.Timeout;
  readonly #every: number;
  #checked = performance.now();
  #received = performance.now();
  #flushed = this.#received;
  /** Bytes that the runtime has surely read: a pong repeats the count at which its ping was sent. */
  #read = 0;
  #warned = false;

  constructor(timings: TunnelTimings, view: LivenessView) {
    this.#view = view;
    this.#timings = timings;
    this.#every = Math.min(timings.ping, timings.dead, timings.stallWarn, timings.stallKill);
    this.#timer = setInterval(() => this.#check(), this.#every);
    this.#timer.unref();
  }

  /** Something arrived. */
  received(): void {
    this.#received = performance.now();
  }

  /** Queued bytes left this process. */
  flushed(): void {
    this.#flushed = performance.now();
    this.#warned = false;
  }

  pong(payload: string): void {
    this.received();
    this.#warned = false;
    const read = Number(payload);
    if (read <= this.#view.sent()) this.#read = Math.max(this.#read, read);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const { ping, dead, stallWarn, stallKill } = this.#timings;
    const now = performance.now();
    const late = now - this.#checked > 2 * this.#every;
    this.#checked = now;
    if (this.#view.paused() || late) {
      // We do not listen, or did not while this process stood still: so silence says nothing.
      this.#received = now;
      return;
    }
    const silence = now - this.#received;
    const idle = Math.min(silence, now - this.#flushed);
    const sent = this.#view.sent();
    const holdUp = this.#view.queued() > 0 || sent - this.#read > maxUnreadBytes;
    if (holdUp && idle >= stallKill) {
      this.#view.onDead(`the registry has taken no data for ${seconds(idle)} s`);
    } else if (holdUp && idle >= stallWarn && !this.#warned) {
      this.#warned = true;
      this.#view.onStall(seconds(idle));
    } else if (!holdUp && silence >= dead) {
      this.#view.onDead(`the connection has been silent for ${seconds(silence)} s`);
      return;
    }
    if (idle >= ping && this.#view.queued() === 0) this.#view.ping(String(sent));
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000);
}
