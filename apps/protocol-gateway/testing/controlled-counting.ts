import { ResultCode } from '@muster/contracts/activation';
import type { CountBatch, CountedBatch, Counting } from '@muster/contracts/counting';
import { AsyncQueue } from '@muster/service-kit';

/** One stream of batches, answered as a test wants. */
export class ControlledStream {
  /** Batches that have come and were not answered. */
  readonly open: CountBatch[] = [];
  /** Whether the gateway has ended its side. */
  ended = false;
  readonly #answers = new AsyncQueue<CountedBatch | Error>();

  /** Answers a batch: as many results as it has requests, each with its own count, unless told otherwise. */
  answer(batch: CountBatch, change: Partial<CountedBatch> = {}): void {
    this.#close(batch);
    const results = batch.requests.map(({ threshold }) => ({
      activationId: new Uint8Array(16),
      code: ResultCode.GRANTED,
      count: threshold,
    }));
    this.#answers.push({ batchId: batch.batchId, results, failure: '', ...change });
  }

  #close(batch: CountBatch): void {
    const index = this.open.indexOf(batch);
    if (index >= 0) this.open.splice(index, 1);
  }

  /** Breaks the stream with whatever was under way. */
  break(error: Error): void {
    this.open.length = 0;
    this.#answers.push(error);
  }

  /** Ends the stream as if all had been said. */
  end(): void {
    this.open.length = 0;
    this.#answers.end();
  }

  async *run(batches: AsyncIterable<CountBatch>): AsyncIterable<CountedBatch> {
    this.#take(batches);
    for await (const answer of this.#answers) {
      if (answer instanceof Error) throw answer;
      yield answer;
    }
  }

  async #take(batches: AsyncIterable<CountBatch>): Promise<void> {
    for await (const batch of batches) this.open.push(batch);
    this.ended = true;
  }
}

/** A counting that answers when and what a test wants. */
export class ControlledCounting implements Counting {
  /** Every stream that was opened, the last one at the end. */
  readonly streams: ControlledStream[] = [];
  /** Set when no stream can be opened. */
  refusal: Error | undefined;

  count(batches: AsyncIterable<CountBatch>): AsyncIterable<CountedBatch> {
    if (this.refusal !== undefined) throw this.refusal;
    const stream = new ControlledStream();
    this.streams.push(stream);
    return stream.run(batches);
  }

  get stream(): ControlledStream {
    const stream = this.streams.at(-1);
    if (stream === undefined) throw new Error('no stream was opened');
    return stream;
  }

  /** Batches of all streams that wait for an answer. */
  get open(): readonly CountBatch[] {
    return this.streams.flatMap((stream) => stream.open);
  }

  async getCounts(): Promise<never> {
    throw new Error('a gateway asks for no counts');
  }

  listMachines(): AsyncIterable<never> {
    throw new Error('a gateway lists no machines');
  }
}
