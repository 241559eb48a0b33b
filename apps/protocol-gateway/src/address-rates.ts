import { countedAddress } from './addresses.ts';

/** A full bucket holds what its rate gives in this time. */
export const burstMs = 5_000;

/** Most addresses of a generation; two of them take about 6 MiB. */
const mostRemembered = 32_768;

/**
 * A token bucket for each address: so many a second, and a burst of what 5 seconds give.
 *
 * A bucket is kept as the one moment at which it will be full again (the generic cell rate algorithm, ITU-T I.371). One
 * that is full need not be remembered. So there are two generations of 5 seconds: an address that was not seen in either
 * is forgotten without having been looked for. A generation also ends when it has 32,768 addresses; then some get their
 * burst anew before they should, and nobody is refused for the number of the others.
 */
export class AddressRates {
  readonly #intervalMs: number;
  #fullAtMs = new Map<string, number>();
  #fullAtMsBefore = new Map<string, number>();
  #sinceMs = 0;

  /** @param perSecond what an address may do each second for ever; 0 for no limit. */
  constructor(perSecond: number) {
    this.#intervalMs = perSecond === 0 ? 0 : 1_000 / perSecond;
  }

  /** Entries that are kept. */
  get size(): number {
    return this.#fullAtMs.size + this.#fullAtMsBefore.size;
  }

  /**
   * Takes a token of an address, or says that it has none.
   *
   * @param nowMs of the monotonic clock.
   */
  take(address: string, nowMs: number): boolean {
    if (this.#intervalMs === 0) return true;
    this.#forget(nowMs);
    const key = countedAddress(address);
    const knownMs = this.#fullAtMs.get(key) ?? this.#fullAtMsBefore.get(key) ?? 0;
    const fullAtMs = Math.max(knownMs, nowMs) + this.#intervalMs;
    if (fullAtMs - nowMs > burstMs) return false;
    this.#fullAtMs.set(key, fullAtMs);
    return true;
  }

  #forget(nowMs: number): void {
    const ageMs = nowMs - this.#sinceMs;
    if (ageMs < burstMs && this.#fullAtMs.size < mostRemembered) return;
    this.#fullAtMsBefore = ageMs < 2 * burstMs ? this.#fullAtMs : new Map();
    this.#fullAtMs = new Map();
    this.#sinceMs = nowMs;
  }
}
