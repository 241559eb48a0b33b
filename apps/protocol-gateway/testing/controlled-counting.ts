import { ResultCode } from '@muster/contracts/activation';
import type { CountBatch, CountedBatch, Counting } from '@muster/contracts/counting';
import { AsyncQueue } from '@muster/service-kit';

/** One stream of batches, answered as a test wants. */
export class ControlledStream {
  /** Batches with requests that have come and were not answered. */
  readonly open: CountBatch[] = [];
  /** Batches without requests that have come and were not answered. */
  readonly probes: CountBatch[] = [];
  /** Whether the gateway has ended its side in order. */
  ended = false;
  /** Whether the gateway has broken the stream off. */
  cancelled = false;
  /** Whether this side has ended or broken the stream. */
  closed = false;
  readonly #answers = new AsyncQueue<CountedBatch | Error>();
  readonly #answersProbes: () => boolean;

  /** @param answersProbes says whether a probe is answered as soon as it comes. */
  constructor(answersProbes: () => boolean) {
    this.#answersProbes = answersProbes;
  }

  /** Answers a batch: as many results as it has requests, each with its own count, unless told otherwise. */
  answer(batch: CountBatch, change: Partial<CountedBatch> = {}): void {
    for (const list of [this.open, this.probes]) {
      const index = list.indexOf(batch);
      if (index >= 0) list.splice(index, 1);
    }
    const results = batch.requests.map(({ threshold }) => ({
      activationId: new Uint8Array(16),
      code: ResultCode.GRANTED,
      count: threshold,
    }));
    this.#answers.push({ batchId: batch.batchId, results, failure: '', ...change });
  }

  /** Breaks the stream with whatever was under way. */
  break(error: Error): void {
    this.#close();
    this.#answers.push(error);
  }

  /** Ends the stream in order: what was not answered was not handled. */
  end(): void {
    this.#close();
    this.#answers.end();
  }

  async *run(batches: AsyncIterable<CountBatch>): AsyncIterable<CountedBatch> {
    this.#take(batches);
    for await (const answer of this.#answers) {
      if (answer instanceof Error) throw answer;
      yield answer;
    }
  }

  #close(): void {
    this.closed = true;
    this.open.length = 0;
    this.probes.length = 0;
  }

  async #take(batches: AsyncIterable<CountBatch>): Promise<void> {
    try {
      for await (const batch of batches) {
        if (this.closed) continue;
        if (batch.requests.length > 0) this.open.push(batch);
        else if (this.#answersProbes()) this.answer(batch);
        else this.probes.push(batch);
      }
      this.ended = true;
    } catch (error) {
      // As over gRPC: the call is broken off on both sides.
      this.cancelled = true;
      this.break(error as Error);
    }
  }
}

/** A counting that answers when and what a test wants. */
export class ControlledCounting implements Counting {
  /** Every stream that was opened, the last one at the end. */
  readonly streams: ControlledStream[] = [];
  /** Set when no stream can be opened. */
  refusal: Error | undefined;
  /** Whether probes are answered as soon as they come. */
  answersProbes = true;

  count(batches: AsyncIterable<CountBatch>): AsyncIterable<CountedBatch> {
    if (this.refusal !== undefined) throw this.refusal;
    const stream = new ControlledStream(() => this.answersProbes);
    this.streams.push(stream);
    return stream.run(batches);
  }

  /** The last stream that was opened. */
  get stream(): ControlledStream {
    const stream = this.streams.at(-1);
    if (stream === undefined) throw new Error('no stream was opened');
    return stream;
  }

  /** Streams that neither side has ended. */
  get openStreams(): readonly ControlledStream[] {
    return this.streams.filter(({ ended, closed }) => !ended && !closed);
  }

  /** Batches with requests, of all streams, that wait for an answer. */
  get open(): readonly CountBatch[] {
    return this.streams.flatMap((stream) => stream.open);
  }

  /** Batches without requests, of all streams, that wait for an answer. */
  get probes(): readonly CountBatch[] {
    return this.streams.flatMap((stream) => stream.probes);
  }

  /** The stream that an unanswered batch or probe has come on. */
  streamOf(batch: CountBatch): ControlledStream {
    const stream = this.streams.find(({ open, probes }) => open.includes(batch) || probes.includes(batch));
    if (stream === undefined) throw new Error('the batch does not wait for an answer');
    return stream;
  }

  /** Answers a batch or a probe on the stream that it has come on. */
  answer(batch: CountBatch, change: Partial<CountedBatch> = {}): void {
    this.streamOf(batch).answer(batch, change);
  }

  async getCounts(): Promise<never> {
    throw new Error('a gateway asks for no counts');
  }

  listMachines(): AsyncIterable<never> {
    throw new Error('a gateway lists no machines');
  }
}
