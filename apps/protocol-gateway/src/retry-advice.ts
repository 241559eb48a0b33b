const firstMs = 1_000;
const longestMs = 30_000;

/**
 * How long a client is asked to wait after UNAVAILABLE or RATE_LIMITED: 1 to 30 seconds, with full jitter under a bound
 * that doubles with each failure in a row, so that a fleet does not come back in one moment.
 */
export class RetryAdvice {
  readonly #random: () => number;
  #boundMs = firstMs * 2;

  /** @param random gives numbers from 0 up to 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Milliseconds. */
  nextMs(): number {
    return Math.round(firstMs + this.#random() * (this.#boundMs - firstMs));
  }

  failed(): void {
    this.#boundMs = Math.min(longestMs, this.#boundMs * 2);
  }

  succeeded(): void {
    this.#boundMs = firstMs * 2;
  }
}
