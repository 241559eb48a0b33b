import type { CountBatch, CountedBatch, CountedRequest, Counting } from '@muster/contracts/counting';
import type { Clock, Logger } from '@muster/service-kit';
import { isDecision } from './answer.ts';
import { type BatchFate, CountingLane, type LaneFailure } from './counting-lane.ts';

/** What happens to the requests of a batch. Exactly one of the two is called for each request. */
export interface BatchOutcome<Item> {
  /** Committed: one result for each item, in order. */
  answered(items: readonly Item[], results: readonly CountedRequest[]): void;
  /** Not known to be committed. */
  failed(items: readonly Item[], reason: string): void;
}

/** How a link works. */
export interface CountingLinkOptions<Item> {
  readonly counting: Pick<Counting, 'count'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Makes the batch of waiting items; without items, the batch that asks whether the database can be reached. */
  readonly toBatch: (batchId: number, items: readonly Item[]) => CountBatch;
  readonly outcome: BatchOutcome<Item>;
  /** Most requests of a batch, 1 to 256. */
  readonly batchRequests: number;
  /** Streams to counting, each with one batch under way at most. */
  readonly lanes: number;
  /** From taking an item to its outcome. */
  readonly deadlineMs: number;
  /** Numbers from 0 up to 1, for jitter; `Math.random` unless told. */
  readonly random?: () => number;
}

/** How a link is. Counters only grow. */
export interface CountingLinkState {
  readonly lanes: number;
  /** Lanes that take batches now. */
  readonly lanesTrusted: number;
  /** The last reason for which a lane was given no more batches, which may be over. */
  readonly lastFailure: LaneFailure | undefined;
  /** Batches that were given to counting. */
  readonly batches: number;
  /** Requests in them. */
  readonly requests: number;
  /** Requests that were given to counting again, because a server ended its stream before it took them. */
  readonly resent: number;
  /** Requests that were failed. */
  readonly failed: number;
}

/** The longest that requests wait for those of connections that are being taken. */
const gatherMs = 2;

/** Of its time, what a request may spend on waiting for a lane: the rest is for counting to answer in. */
const waitingShare = 2 / 3;

interface Waiting<Item> {
  readonly item: Item;
  readonly deadlineMs: number;
}

/**
 * Carries requests to counting in batches over several streams (DESIGN 4.1): the lanes, which the balancing of gRPC
 * spreads over the replicas.
 *
 * A batch leaves as soon as a lane is free, with all that waits then: under light load a request travels alone and at
 * once, under heavy load batches fill by themselves while others are under way. No timer delays anything; while new
 * connections are being taken, further turns of the event loop are waited for, 2 ms at most.
 *
 * Whoever waits longer than the deadline, for a lane or for an answer, is failed; while every lane is suspect, at once.
 * A server that ends a stream in order has not handled what it did not answer: that travels again on another lane.
 */
export class CountingLink<Item> {
  readonly #options: CountingLinkOptions<Item>;
  readonly #lanes: readonly CountingLane[];
  /** In the order of their deadlines. */
  #waiting: Waiting<Item>[] = [];
  #turn = 0;
  #lastBatchId = 0;
  #batches = 0;
  #requests = 0;
  #resent = 0;
  #failed = 0;
  #gathering = false;
  #expectsMore = false;
  #closed = false;

  constructor(options: CountingLinkOptions<Item>) {
    this.#options = options;
    const { counting, clock, logger, random = Math.random, toBatch, deadlineMs: probeMs } = options;
    const toProbe = (batchId: number) => toBatch(batchId, []);
    const onChange = () => this.#dispatch();
    const nextBatchId = () => {
      this.#lastBatchId = (this.#lastBatchId + 1) >>> 0;
      return this.#lastBatchId;
    };
    this.#lanes = Array.from(
      { length: options.lanes },
      () => new CountingLane({ counting, clock, logger, random, nextBatchId, toProbe, probeMs, onChange }),
    );
  }

  get state(): CountingLinkState {
    const failures = this.#lanes.flatMap(({ lastFailure }) => lastFailure ?? []);
    return {
      lanes: this.#lanes.length,
      lanesTrusted: this.#lanes.filter(({ trust }) => trust === 'trusted').length,
      lastFailure: failures.toSorted((one, other) => other.atMs - one.atMs)[0],
      batches: this.#batches,
      requests: this.#requests,
      resent: this.#resent,
      failed: this.#failed,
    };
  }

  /** Opens the lanes. What is submitted before they are tried waits for that. */
  start(): void {
    for (const lane of this.#lanes) lane.start();
  }

  /** Takes an item; its outcome comes later. */
  submit(item: Item): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#waiting.push({ item, deadlineMs: nowMs + this.#options.deadlineMs });
    if (this.#gathering) return;
    this.#gathering = true;
    setImmediate(() => this.#gather(nowMs + gatherMs));
  }

  /** Says that a connection was taken, whose first request can be read in the next turn of the event loop. */
  expectMore(): void {
    this.#expectsMore = true;
  }

  /** Fails the items whose time is over, and does what else is due by the clock. Called regularly. */
  sweep(): void {
    for (const lane of this.#lanes) lane.sweep();
    const { clock, deadlineMs } = this.#options;
    const lateMs = clock.monotonicMs() + deadlineMs * (1 - waitingShare);
    const fresh = this.#waiting.findIndex((each) => lateMs < each.deadlineMs);
    const late = this.#waiting.splice(0, fresh === -1 ? this.#waiting.length : fresh);
    this.#fail(late, 'Counting is not answering.');
  }

  /** Ends the lanes after the batches that are under way. What waits is failed. */
  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes) lane.close();
    this.#dispatch();
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
    this.#gathering = false;
    this.#dispatch();
  }

  #dispatch(): void {
    const { batchRequests } = this.#options;
    while (this.#waiting.length > 0) {
      const lane = this.#freeLane();
      if (lane === undefined) break;
      this.#send(lane, this.#waiting.splice(0, batchRequests));
    }
    if (this.#waiting.length > 0 && !this.#mayBeAnswered) this.#fail(this.#waiting.splice(0), this.#obstacle);
  }

  get #mayBeAnswered(): boolean {
    return !this.#closed && this.#lanes.some(({ trust }) => trust !== 'suspect');
  }

  get #obstacle(): string {
    return this.#closed ? 'The gateway is stopping.' : (this.state.lastFailure?.reason ?? 'Counting is not answering.');
  }

  /** The lanes take turns, so that every replica has its share also under light load. */
  #freeLane(): CountingLane | undefined {
    for (let tried = 0; tried < this.#lanes.length; tried += 1) {
      const lane = this.#lanes[this.#turn];
      this.#turn = (this.#turn + 1) % this.#lanes.length;
      if (lane?.free) return lane;
    }
    return undefined;
  }

  #send(lane: CountingLane, batch: readonly Waiting<Item>[]): void {
    const items = batch.map(({ item }) => item);
    this.#batches += 1;
    this.#requests += batch.length;
    lane.send(
      (batchId) => this.#options.toBatch(batchId, items),
      // The oldest request sets the time of the batch: it has waited for a lane already.
      batch[0]?.deadlineMs ?? 0,
      (fate) => this.#settle(batch, items, fate),
    );
  }

  #settle(batch: readonly Waiting<Item>[], items: readonly Item[], fate: BatchFate): void {
    switch (fate.kind) {
      case 'answered':
        this.#receive(batch, items, fate.answer);
        break;
      case 'unhandled':
        this.#resent += batch.length;
        this.#waiting = [...batch, ...this.#waiting].sort((one, other) => one.deadlineMs - other.deadlineMs);
        break;
      case 'unknown':
        this.#fail(batch, fate.reason);
    }
  }

  #receive(batch: readonly Waiting<Item>[], items: readonly Item[], { failure, results }: CountedBatch): void {
    if (failure !== '' || results.length !== items.length) {
      this.#fail(batch, failure || 'Counting answered another number of requests.');
    } else if (!results.every(isDecision)) {
      this.#fail(batch, 'Counting answered what is no decision.');
    } else {
      this.#options.outcome.answered(items, results);
    }
  }

  #fail(batch: readonly Waiting<Item>[], reason: string): void {
    if (batch.length === 0) return;
    this.#failed += batch.length;
    this.#options.outcome.failed(
      batch.map(({ item }) => item),
      reason,
    );
  }
}
