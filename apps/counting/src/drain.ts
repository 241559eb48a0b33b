/** Lets streams run until it is said that they shall end: then each ends before its next value. */
export class Drain {
  readonly #stops = new Set<() => void>();
  #begun = false;

  /** Ends all streams, those that come later too. */
  begin(): void {
    this.#begun = true;
    for (const stop of this.#stops) stop();
  }

  /**
   * The values of a source, until they end or the drain begins. A value that comes at the same time is not read: it
   * stays unhandled.
   *
   * Each round has a promise of its own: racing each value against one promise of the drain would keep every value's
   * reaction for the life of the stream.
   */
  async *until<T>(source: AsyncIterable<T>): AsyncIterable<T> {
    const iterator = source[Symbol.asyncIterator]();
    let stopWaiting: () => void = () => undefined;
    const stop = () => stopWaiting();
    this.#stops.add(stop);
    try {
      while (!this.#begun) {
        const next = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
          stopWaiting = () => resolve(undefined);
          iterator.next().then(resolve, reject);
        });
        if (next === undefined || next.done || this.#begun) break;
        yield next.value;
      }
    } finally {
      this.#stops.delete(stop);
      // Nobody waits for it: the source may be waiting itself for a value that never comes.
      iterator.return?.().catch(() => undefined);
    }
  }
}
