import type { CountBatch, CountedBatch, Counting } from '@muster/contracts/counting';
import { AsyncQueue } from '@muster/service-kit';

/** What happens on a stream. */
export interface CountingStreamEvents {
  answer(stream: CountingStream, answer: CountedBatch): void;
  /** The last event. Without an error the server ended the stream in order: it handled only what it answered. */
  end(stream: CountingStream, error: unknown): void;
}

/** One stream of batches to a replica of counting. */
export class CountingStream {
  readonly #batches = new AsyncQueue<CountBatch>();
  #cancelled = false;

  constructor(counting: Pick<Counting, 'count'>, events: CountingStreamEvents) {
    this.#read(counting, events).then(
      () => events.end(this, undefined),
      (error) => events.end(this, error),
    );
  }

  send(batch: CountBatch): void {
    this.#batches.push(batch);
  }

  /** Sends nothing more. The server answers what it has, and ends the stream in order. */
  end(): void {
    this.#batches.end();
  }

  /** Breaks the stream off: whether the server handles what it has is not known. */
  cancel(): void {
    this.#cancelled = true;
    this.#batches.end();
  }

  async #read(counting: Pick<Counting, 'count'>, events: CountingStreamEvents): Promise<void> {
    for await (const answer of counting.count(this.#questions())) events.answer(this, answer);
  }

  /** A source that fails cancels the call, also one whose server is silent (see service-kit). */
  async *#questions(): AsyncIterable<CountBatch> {
    for await (const batch of this.#batches) {
      if (this.#cancelled) break;
      yield batch;
    }
    if (this.#cancelled) throw new Error('The stream was given up.');
  }
}
