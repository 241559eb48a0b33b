import { createHash } from 'node:crypto';

/**
 * A generator of numbers that follow from a seed and nothing else, so that a campaign can be repeated (mulberry32:
 * 32 bits of state are enough for choices among faults and machines). Not for secrets.
 */
export class SeededRandom {
  readonly #seed: number;
  #state: number;

  /** @param seed a whole number; its low 32 bits count. */
  constructor(seed: number) {
    this.#seed = seed;
    this.#state = seed >>> 0;
  }

  /** A generator of its own for a part of the campaign: what one part draws does not move what another draws. */
  branch(name: string): SeededRandom {
    return new SeededRandom(createHash('sha256').update(`${this.#seed}/${name}`).digest().readUInt32BE(0));
  }

  /** From 0 up to, and without, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number between two, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** @throws RangeError for a list with nothing in it. */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.integer(0, items.length - 1)];
    if (item === undefined) throw new RangeError('there is nothing to pick from');
    return item;
  }

  /** The items in another order (Fisher and Yates). */
  shuffle<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last -= 1) {
      const other = this.integer(0, last);
      [shuffled[last], shuffled[other]] = [shuffled[other] as Item, shuffled[last] as Item];
    }
    return shuffled;
  }
}
