/**
 * The last value to whoever watches: at once, then after each change. A slow watcher misses values in between, never
 * the last one.
 */
export class SnapshotFeed<T> {
  #current: T;
  #changed = Promise.withResolvers<void>();
  #ended = false;

  constructor(initial: T) {
    this.#current = initial;
  }

  /** The last value. */
  get current(): T {
    return this.#current;
  }

  publish(value: T): void {
    this.#current = value;
    this.#wake();
  }

  /** Ends every watch. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *watch(): AsyncIterable<T> {
    while (!this.#ended) {
      const changed = this.#changed.promise;
      yield this.#current;
      await changed;
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
