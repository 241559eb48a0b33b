import { MusterError } from '@muster/product-groups';
import type { Clock } from '@muster/service-kit';
import { networkOf } from './network-of.ts';

/** How many wrong keys are answered: so many at once, and one more each time so many milliseconds have gone by. */
export interface GuessRate {
  readonly burst: number;
  readonly refillMs: number;
}

/** Of one address, and of all together. */
export interface GuessRates {
  readonly perAddress: GuessRate;
  readonly total: GuessRate;
}

/** People mistype a few keys, and their slips are found before anything is looked up: whoever gets here guesses. */
export const defaultGuessRates: GuessRates = {
  perAddress: { burst: 10, refillMs: 60_000 },
  total: { burst: 600, refillMs: 1_000 },
};

/** Most addresses of a generation; two of them take about 6 MiB. */
const mostRemembered = 32_768;

/**
 * Limits the guessing of product keys by counting wrong ones, of each address (IPv6: each /64) and in total. An address
 * that has guessed too much gets no key answered for a while, right or wrong, so that its answers say nothing.
 *
 * When there are too many wrong keys in total, one is enough to make an address wait: a guesser with many addresses gains
 * little. An address without a wrong key is never refused, whatever others do.
 *
 * Each count is kept as the one moment at which it will be nought again (the generic cell rate algorithm, ITU-T I.371),
 * in two generations, of which the older one is forgotten. Each replica counts for itself.
 */
export class GuessLimits {
  readonly #clock: Clock;
  readonly #rates: GuessRates;
  #cleanAtMs = new Map<string, number>();
  #cleanAtMsBefore = new Map<string, number>();
  #sinceMs: number;
  #totalCleanAtMs = 0;

  constructor(clock: Clock, rates: GuessRates = defaultGuessRates) {
    this.#clock = clock;
    this.#rates = rates;
    this.#sinceMs = clock.monotonicMs();
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#cleanAtMs.size + this.#cleanAtMsBefore.size;
  }

  /** @throws MusterError `RATE_LIMITED` with the seconds to wait, when keys from this address are not answered now. */
  check(address: string): void {
    const nowMs = this.#clock.monotonicMs();
    const { perAddress, total } = this.#rates;
    const tooManyInTotal = waitMs(this.#totalCleanAtMs - nowMs, total) > 0;
    const countMs = this.#read(networkOf(address)) - nowMs;
    const restMs = waitMs(countMs, tooManyInTotal ? { ...perAddress, burst: 1 } : perAddress);
    if (restMs <= 0) return;
    const seconds = Math.ceil(restMs / 1_000);
    throw new MusterError({
      code: 'RATE_LIMITED',
      message: `Too many wrong product keys came from this address; no key from it is looked at for ${seconds} seconds.`,
      remedy: `Try again in ${seconds} seconds, with the key as the vendor wrote it.`,
    });
  }

  /** Counts a wrong key. */
  wrong(address: string): void {
    const nowMs = this.#clock.monotonicMs();
    this.#forget(nowMs);
    const { perAddress, total } = this.#rates;
    const network = networkOf(address);
    // More than a full count is not kept: of many keys at the same time, each would prolong the wait.
    const mostMs = nowMs + perAddress.burst * perAddress.refillMs;
    const cleanAtMs = Math.max(this.#read(network), nowMs) + perAddress.refillMs;
    this.#cleanAtMs.set(network, Math.min(cleanAtMs, mostMs));
    const totalMostMs = nowMs + total.burst * total.refillMs;
    this.#totalCleanAtMs = Math.min(Math.max(this.#totalCleanAtMs, nowMs) + total.refillMs, totalMostMs);
  }

  #read(network: string): number {
    return this.#cleanAtMs.get(network) ?? this.#cleanAtMsBefore.get(network) ?? 0;
  }

  #forget(nowMs: number): void {
    const { burst, refillMs } = this.#rates.perAddress;
    const ageMs = nowMs - this.#sinceMs;
    if (ageMs < burst * refillMs && this.#cleanAtMs.size < mostRemembered) return;
    this.#cleanAtMsBefore = ageMs < 2 * burst * refillMs ? this.#cleanAtMs : new Map();
    this.#cleanAtMs = new Map();
    this.#sinceMs = nowMs;
  }
}

/** How long until one more wrong key would be answered, when the count is nought again in so many milliseconds. */
function waitMs(countMs: number, { burst, refillMs }: GuessRate): number {
  return countMs - (burst - 1) * refillMs;
}
