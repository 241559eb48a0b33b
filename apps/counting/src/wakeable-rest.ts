/** Rests between looks that can be cut short. */
export class WakeableRest {
  #woken = false;
  #ended = false;
  #cutShort: (() => void) | undefined;
  #interruptible = false;

  /** Cuts a rest of `atMost` short, or the next one if there is none now. */
  wake(): void {
    this.#woken = true;
    if (this.#interruptible) this.#cutShort?.();
  }

  /** Cuts the present rest short, and all to come. */
  end(): void {
    this.#ended = true;
    this.#cutShort?.();
  }

  /** Rests for a duration in milliseconds, whoever wakes it. */
  atLeast(durationMs: number): Promise<void> {
    return this.#rest(durationMs, false);
  }

  /** Rests until it is woken, for at most a duration in milliseconds. Not at all when it was woken since the last time. */
  async atMost(durationMs: number): Promise<void> {
    if (!this.#woken) await this.#rest(durationMs, true);
    this.#woken = false;
  }

  #rest(durationMs: number, interruptible: boolean): Promise<void> {
    if (this.#ended) return Promise.resolve();
    this.#interruptible = interruptible;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#cutShort?.(), durationMs);
      this.#cutShort = () => {
        clearTimeout(timer);
        this.#cutShort = undefined;
        resolve();
      };
    });
  }
}
