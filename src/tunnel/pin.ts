import type { KpushError } from "../errors.ts";
import type { TunnelOptions, TunnelTarget } from "./types.ts";

/** The pod that all sockets go to, looked up once, and again after it seems to be gone. */
export class Pin {
  readonly #lookUp: TunnelOptions["pin"];
  #target: Promise<TunnelTarget> | undefined;
  #current: TunnelTarget | undefined;
  #doubt: { target: TunnelTarget; error: KpushError } | undefined;

  constructor(lookUp: TunnelOptions["pin"]) {
    this.#lookUp = lookUp;
  }

  /** @throws KpushError of the look-up; the next call looks again */
  target(): Promise<TunnelTarget> {
    this.#target ??= this.#find();
    return this.#target;
  }

  /** Has the next socket look the pod up again, unless another pod is pinned by now. */
  doubt(target: TunnelTarget, error: KpushError): void {
    if (target !== this.#current) return;
    this.#doubt = { target, error };
    this.#target = undefined;
    this.#current = undefined;
  }

  async #find(): Promise<TunnelTarget> {
    try {
      // A copy for each look-up, so that a late complaint about an earlier one is told apart.
      this.#current = { ...(await this.#lookUp(this.#doubt)) };
      this.#doubt = undefined;
      return this.#current;
    } catch (error) {
      this.#target = undefined;
      throw error;
    }
  }
}
