const everyMs = 200;

/** One line on a terminal that is written over; nothing elsewhere. */
export class MakProgress {
  readonly #stream = process.stderr;
  #lastMs = 0;

  readonly step = (answered: number, toAsk: number): void => {
    if (!this.#stream.isTTY || performance.now() - this.#lastMs < everyMs) return;
    this.#lastMs = performance.now();
    this.#stream.write(`\r\x1b[K${answered.toLocaleString('en')} of ${toAsk.toLocaleString('en')} installations`);
  };

  end(): void {
    if (this.#lastMs > 0) this.#stream.write('\r\x1b[K');
  }
}
