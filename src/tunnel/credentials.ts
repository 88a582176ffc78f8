import type { KpushError } from "../errors.ts";

/**
 * Answers 401s: new credentials once, however many sockets ask at the same time. Ones that are
 * refused at once are final; ones that served for a while may expire and be renewed again.
 */
export class Credentials {
  readonly #refresh: () => Promise<boolean>;
  #refreshing: Promise<boolean> | undefined;
  #epoch = 0;
  #proven = true;

  constructor(refresh: () => Promise<boolean>) {
    this.#refresh = refresh;
  }

  /** Names the credentials that an attempt is about to use. */
  get epoch(): number {
    return this.#epoch;
  }

  accepted(epoch: number): void {
    if (epoch === this.#epoch) this.#proven = true;
  }

  /**
   * Resolves when an attempt with other credentials than those of `epoch` makes sense.
   * @throws `error` when there are none, or what the refresh threw
   */
  async refused(epoch: number, error: KpushError): Promise<void> {
    if (epoch !== this.#epoch) return;
    if (!this.#proven) throw error;
    this.#refreshing ??= this.#renew();
    if (!(await this.#refreshing)) throw error;
  }

  async #renew(): Promise<boolean> {
    try {
      const renewed = await this.#refresh();
      if (renewed) {
        this.#epoch += 1;
        this.#proven = false;
      }
      return renewed;
    } finally {
      this.#refreshing = undefined;
    }
  }
}
