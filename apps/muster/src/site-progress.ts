import type { RowProgress } from './site-export.ts';

const everyMs = 200;

/** One line on a terminal that is written over; nothing elsewhere. */
export class SiteProgress {
  readonly #stream = process.stderr;
  #lastMs = 0;

  readonly step: RowProgress = (table, rows) => {
    if (!this.#stream.isTTY || performance.now() - this.#lastMs < everyMs) return;
    this.#lastMs = performance.now();
    this.#stream.write(`\r\x1b[K${rows.toLocaleString('en')} rows of ${table}`);
  };

  end(): void {
    if (this.#lastMs > 0) this.#stream.write('\r\x1b[K');
  }
}
