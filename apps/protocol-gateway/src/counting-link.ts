import type { CountBatch, CountedBatch, CountedRequest, Counting } from '@muster/contracts/counting';
import { AsyncQueue, type Clock, type Logger } from '@muster/service-kit';
import { isDecision } from './answer.ts';

/** What happens to the requests of a batch. Exactly one of the two is called for each batch. */
export interface BatchOutcome<Item> {
  /** Committed: one result for each item, in order. */
  answered(items: readonly Item[], results: readonly CountedRequest[]): void;
  /** Not known to be committed. */
  failed(items: readonly Item[], reason: string): void;
}

/** How a link works. */
export interface CountingLinkOptions<Item> {
  readonly counting: Counting;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Makes the batch of waiting items. */
  readonly toBatch: (batchId: number, items: readonly Item[]) => CountBatch;
  readonly outcome: BatchOutcome<Item>;
  readonly batchRequests: number;
  readonly batchesInFlight: number;
  readonly deadlineMs: number;
}

/** The longest that requests wait for those of connections that are being taken. */
const gatherMs = 2;

interface Waiting<Item> {
  readonly item: Item;
  readonly deadlineMs: number;
}

/** A batch that counting has. Its items are gone when their time was over: they have been answered. */
interface Flight<Item> {
  items: readonly Item[] | undefined;
  readonly deadlineMs: number;
}

/**
 * Carries requests to counting in batches over one stream (DESIGN 4.1).
 *
 * A batch leaves as soon as a place is free, with all that waits then: under light load a request travels alone and at
 * once, under heavy load batches fill by themselves while others are under way. No timer delays anything; while new
 * connections are being taken, further turns of the event loop are waited for, 2 ms at most.
 *
 * While counting is silent no more than `batchesInFlight` batches are with it, and whoever waits longer than the
 * deadline, for a place or for an answer, is failed.
 */
export class CountingLink<Item> {
  readonly #options: CountingLinkOptions<Item>;
  readonly #flights = new Map<number, Flight<Item>>();
  #waiting: Waiting<Item>[] = [];
  #stream: AsyncQueue<CountBatch> | undefined;
  #lastBatchId = 0;
  #dispatching = false;
  #expectsMore = false;

  constructor(options: CountingLinkOptions<Item>) {
    this.#options = options;
  }

  /** Takes an item; its outcome comes later. */
  submit(item: Item): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#waiting.push({ item, deadlineMs: nowMs + this.#options.deadlineMs });
    if (this.#dispatching) return;
    this.#dispatching = true;
    setImmediate(() => this.#gather(nowMs + gatherMs));
  }

  /** Says that a connection was taken, whose first request can be read in the next turn of the event loop. */
  expectMore(): void {
    this.#expectsMore = true;
  }

  /** Fails the items whose time is over. Called regularly. */
  expire(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const flight of this.#flights.values()) {
      if (nowMs >= flight.deadlineMs) this.#fail(flight, 'Counting did not answer in time.');
    }
    const fresh = this.#waiting.findIndex(({ deadlineMs }) => nowMs < deadlineMs);
    const late = this.#waiting.splice(0, fresh === -1 ? this.#waiting.length : fresh);
    if (late.length > 0) {
      this.#options.outcome.failed(
        late.map(({ item }) => item),
        'Counting is not answering.',
      );
    }
    this.#dispatch();
  }

  /** Ends the stream after the batches that are under way. */
  close(): void {
    this.#stream?.end();
  }

  /**
   * After a turn of the event loop everything that the open connections had ready is here. But a turn takes only one new
   * connection: while clients come with connections of their own, further turns bring them, for at most 2 ms (DESIGN 4.1).
   */
  #gather(untilMs: number): void {
    const { batchRequests, clock } = this.#options;
    if (this.#expectsMore && this.#waiting.length < batchRequests && clock.monotonicMs() < untilMs) {
      this.#expectsMore = false;
      setImmediate(() => this.#gather(untilMs));
      return;
    }
    this.#dispatching = false;
    this.#dispatch();
  }

  #dispatch(): void {
    const { batchRequests, batchesInFlight, toBatch } = this.#options;
    while (this.#waiting.length > 0 && this.#flights.size < batchesInFlight) {
      const next = this.#waiting.splice(0, batchRequests);
      const items = next.map(({ item }) => item);
      this.#lastBatchId = (this.#lastBatchId + 1) >>> 0;
      // The oldest request sets the time of the batch: it has waited for its place already.
      this.#flights.set(this.#lastBatchId, { items, deadlineMs: next[0]?.deadlineMs ?? 0 });
      this.#stream ??= this.#open();
      this.#stream.push(toBatch(this.#lastBatchId, items));
    }
  }

  #open(): AsyncQueue<CountBatch> {
    const batches = new AsyncQueue<CountBatch>();
    this.#read(batches).catch((error) => {
      this.#options.logger.error({ err: error }, 'the stream to counting failed');
      this.#abandon(batches);
    });
    return batches;
  }

  async #read(batches: AsyncQueue<CountBatch>): Promise<void> {
    for await (const answer of this.#options.counting.count(batches)) this.#receive(answer);
    this.#abandon(batches);
  }

  #receive(answer: CountedBatch): void {
    const flight = this.#flights.get(answer.batchId);
    if (flight === undefined) return;
    this.#flights.delete(answer.batchId);
    const { items } = flight;
    if (answer.failure !== '' || answer.results.length !== items?.length) {
      this.#fail(flight, answer.failure || 'Counting answered another number of requests.');
    } else if (!answer.results.every(isDecision)) {
      this.#fail(flight, 'Counting answered what is no decision.');
    } else {
      this.#options.outcome.answered(items, answer.results);
    }
    this.#dispatch();
  }

  #abandon(batches: AsyncQueue<CountBatch>): void {
    if (this.#stream !== batches) return;
    this.#stream = undefined;
    batches.end();
    const flights = [...this.#flights.values()];
    this.#flights.clear();
    for (const flight of flights) this.#fail(flight, 'The connection to counting ended.');
    this.#dispatch();
  }

  /** Fails the items of a flight, once. */
  #fail(flight: Flight<Item>, reason: string): void {
    const { items } = flight;
    flight.items = undefined;
    if (items !== undefined) this.#options.outcome.failed(items, reason);
  }
}
