import { setTimeout as delay } from "node:timers/promises";
import { KpushError } from "../errors.ts";
import { Backoff } from "./backoff.ts";
import { Credentials } from "./credentials.ts";
import { OpenFailure, podOf } from "./failures.ts";
import { Pin } from "./pin.ts";
import { openTunnelSocket } from "./open-socket.ts";
import type { OpenSocketOptions } from "./open-socket.ts";
import type { TunnelSocket } from "./socket.ts";
import type { TunnelOptions, TunnelTarget, TunnelTimings } from "./types.ts";

/** Kept-alive connections that may turn out closed before that counts as a failure. */
const maxStale = 8;

/** Opens sockets, and overcomes what may pass: an expired token, a replaced pod, a short outage. */
export class Opener {
  readonly #options: TunnelOptions;
  readonly #events: Pick<OpenSocketOptions, "onLost" | "onClose">;
  readonly #timings: TunnelTimings;
  readonly #signal: AbortSignal;
  readonly #pin: Pin;
  readonly #credentials: Credentials;
  readonly #backoff: Backoff;
  #forbidden: Promise<KpushError> | undefined;

  constructor(
    options: TunnelOptions,
    timings: TunnelTimings,
    signal: AbortSignal,
    events: Pick<OpenSocketOptions, "onLost" | "onClose">,
  ) {
    this.#options = options;
    this.#timings = timings;
    this.#signal = signal;
    this.#events = events;
    this.#pin = new Pin(options.pin);
    this.#credentials = new Credentials(options.refreshCredentials);
    this.#backoff = new Backoff(timings.backoff);
  }

  /** Has the next socket look up the pod that `error` came from. */
  doubt(target: TunnelTarget, error: KpushError): void {
    this.#pin.doubt(target, error);
  }

  /** @throws KpushError when it is of no use to go on, or the signal's reason */
  async open(): Promise<TunnelSocket> {
    let stale = 0;
    let gone = 0;
    for (;;) {
      this.#signal.throwIfAborted();
      const target = await this.#pin.target();
      const { epoch } = this.#credentials;
      const startedAt = performance.now();
      try {
        const socket = await this.#attempt(target);
        this.#credentials.accepted(epoch);
        this.#backoff.succeeded();
        this.#debug(`tunnel socket to ${podOf(target)} in ${since(startedAt)} ms`);
        return socket;
      } catch (failure) {
        if (!(failure instanceof OpenFailure)) throw failure;
        const { kind, error } = failure;
        this.#debug(
          `tunnel socket failed after ${since(startedAt)} ms (${kind}): ${error.message}`,
        );
        if (kind === "lasting") throw error;
        if (kind === "forbidden") throw await this.#explainForbidden(target, error.message);
        if (kind === "unauthorized") {
          await this.#credentials.refused(epoch, error);
          continue;
        }
        if (kind === "stale" && stale++ < maxStale) continue;
        if (kind === "gone") {
          this.#pin.doubt(target, error);
          if (gone++ === 0) continue;
        }
        const wait = this.#backoff.failed(startedAt, error);
        if (wait instanceof KpushError) throw wait;
        await this.#delay(wait);
      }
    }
  }

  #attempt(target: TunnelTarget): Promise<TunnelSocket> {
    const { config, explainFailure, report } = this.#options;
    return openTunnelSocket({
      ...this.#events,
      config,
      target,
      timings: this.#timings,
      explainFailure,
      signal: this.#signal,
      onStall: (message) => report({ type: "warning", message }),
    });
  }

  /** Many sockets that are refused at once ask once. */
  async #explainForbidden(target: TunnelTarget, status: string): Promise<KpushError> {
    this.#forbidden ??= this.#options.explainForbidden(target, status);
    try {
      return await this.#forbidden;
    } finally {
      this.#forbidden = undefined;
    }
  }

  async #delay(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.#signal }).catch(() => {
      throw this.#signal.reason;
    });
  }

  #debug(message: string): void {
    this.#options.report({ type: "debug", message });
  }
}

function since(time: number): number {
  return Math.round(performance.now() - time);
}
