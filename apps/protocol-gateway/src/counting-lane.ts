import type { CountBatch, CountedBatch, Counting } from '@muster/contracts/counting';
import type { Clock, Logger } from '@muster/service-kit';
import { CountingStream } from './counting-stream.ts';

/**
 * What a lane is good for. `trusted`: it takes batches. `renewing`: its new stream is being tried, and nothing speaks
 * against it. `suspect`: what it heard last was no answer, or that nothing can be committed.
 */
export type LaneTrust = 'trusted' | 'renewing' | 'suspect';

/** What became of a batch. */
export type BatchFate =
  | { readonly kind: 'answered'; readonly answer: CountedBatch }
  /** Nothing of it was done: it may be sent again. */
  | { readonly kind: 'unhandled' }
  /** It may be committed or not: it must not be sent again. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Why a lane was distrusted. */
export interface LaneFailure {
  /** One sentence. */
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** How a lane works. */
export interface CountingLaneOptions {
  readonly counting: Pick<Counting, 'count'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Numbers from 0 up to 1, for jitter. */
  readonly random: () => number;
  /** Ids that no other lane of the link has given: an answer to another batch is never taken for this one's. */
  readonly nextBatchId: () => number;
  /** A batch without requests, which asks whether the database can be reached. */
  readonly toProbe: (batchId: number) => CountBatch;
  /** The longest that a probe may take. */
  readonly probeMs: number;
  /** Called after whatever may have made the lane free, or distrusted. */
  readonly onChange: () => void;
}

/** A batch, or a probe when there is nobody to tell, that waits for its answer. */
interface Flight {
  readonly batchId: number;
  readonly deadlineMs: number;
  readonly settle?: (fate: BatchFate) => void;
}

/**
 * How long a stream serves before another one, perhaps to another replica, takes its place: twice as long as the one
 * before, and short again after one that ended otherwise, because whoever went away may be back soon.
 */
const firstStreamMs = 2_000;
const longestStreamMs = 60_000;
/** A lane that was silent so long is probed, so that its trust is not stale when a request comes. */
const idleMs = 5_000;
/** A stream that ends sooner is not replaced at once: a server that goes away may end several in a row. */
const quickEndMs = 1_000;

const firstPauseMs = 50;
const leastPauseMs = 250;
const longestPauseMs = 1_000;
const firstEndPauseMs = 25;

/**
 * One stream to counting with at most one batch on it (DESIGN 4.1), renewed for ever.
 *
 * Each stream begins with a probe: real batches travel only after an answer. Whoever does not answer in time, or says
 * that nothing can be committed, is asked by probes, one at a time, until one is answered. Time passes by `sweep` only.
 */
export class CountingLane {
  readonly #options: CountingLaneOptions;
  #trust: LaneTrust = 'renewing';
  #stream: CountingStream | undefined;
  #flight: Flight | undefined;
  #lastFailure: LaneFailure | undefined;
  #openedAtMs = 0;
  #serveMs = 0;
  #renewAtMs = 0;
  #lastAnswerAtMs = 0;
  /** No stream is opened and no probe is sent before this. */
  #restUntilMs = 0;
  #failures = 0;
  #quickEnds = 0;
  #forgiven = false;
  #closed = false;

  constructor(options: CountingLaneOptions) {
    this.#options = options;
  }

  get trust(): LaneTrust {
    return this.#trust;
  }

  /** The last reason for distrust, which may be long ago; undefined while there was none. */
  get lastFailure(): LaneFailure | undefined {
    return this.#lastFailure;
  }

  /** Whether a batch may be sent now. */
  get free(): boolean {
    return this.#trust === 'trusted' && this.#stream !== undefined && this.#flight === undefined && !this.#closed;
  }

  /** Opens the first stream. */
  start(): void {
    this.#open(firstStreamMs);
  }

  /**
   * Sends a batch on a free lane.
   *
   * @param deadlineMs by the monotonic clock; then the lane is given up as silent.
   * @param settle is called once.
   */
  send(toBatch: (batchId: number) => CountBatch, deadlineMs: number, settle: (fate: BatchFate) => void): void {
    this.#dispatch(toBatch, { batchId: this.#options.nextBatchId(), deadlineMs, settle });
  }

  /** Does what is due by the clock. Called regularly. */
  sweep(): void {
    if (this.#closed) return;
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#flight !== undefined) {
      if (nowMs >= this.#flight.deadlineMs) this.#giveUpSilent();
    } else if (nowMs >= this.#restUntilMs) {
      if (this.#stream === undefined) this.#open(firstStreamMs);
      else if (this.#trust === 'suspect' && this.#failures === 1) this.#probe();
      else if (this.#trust === 'suspect') this.#replace(firstStreamMs);
      else if (nowMs >= this.#renewAtMs) this.#replace(Math.min(longestStreamMs, this.#serveMs * 2));
      else if (nowMs >= this.#lastAnswerAtMs + idleMs) this.#probe();
    }
  }

  /** Ends the stream after the batch that is under way. */
  close(): void {
    this.#closed = true;
    this.#stream?.end();
  }

  #open(serveMs: number): void {
    const { counting, clock, random } = this.#options;
    this.#openedAtMs = clock.monotonicMs();
    this.#serveMs = serveMs;
    // Spread, so that the lanes of all gateways do not move together.
    this.#renewAtMs = this.#openedAtMs + serveMs * (0.75 + random() / 2);
    this.#stream = new CountingStream(counting, {
      answer: (stream, answer) => this.#receive(stream, answer),
      end: (stream, error) => this.#handleEnd(stream, error),
    });
    this.#probe();
  }

  #probe(): void {
    const { clock, probeMs, toProbe } = this.#options;
    this.#dispatch(toProbe, { batchId: this.#options.nextBatchId(), deadlineMs: clock.monotonicMs() + probeMs });
  }

  #dispatch(toBatch: (batchId: number) => CountBatch, flight: Flight): void {
    this.#flight = flight;
    this.#stream?.send(toBatch(flight.batchId));
  }

  #receive(stream: CountingStream, answer: CountedBatch): void {
    if (stream !== this.#stream || answer.batchId !== this.#flight?.batchId) return;
    const { settle } = this.#flight;
    this.#flight = undefined;
    this.#lastAnswerAtMs = this.#options.clock.monotonicMs();
    if (answer.failure === '') this.#believe();
    else this.#distrust(answer.failure);
    settle?.({ kind: 'answered', answer });
    this.#options.onChange();
  }

  #handleEnd(stream: CountingStream, error: unknown): void {
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    const settle = this.#flight?.settle;
    this.#flight = undefined;
    if (error === undefined) {
      this.#restAfterEnd();
      settle?.({ kind: 'unhandled' });
    } else if (this.#trust === 'renewing' && !this.#forgiven) {
      // A new stream may meet a server that is just going away, and only a probe is on it.
      this.#forgiven = true;
      this.#restAfterEnd();
    } else {
      const reason = 'The connection to counting ended.';
      this.#distrust(reason, error);
      settle?.({ kind: 'unknown', reason });
    }
    if (!this.#closed && this.#options.clock.monotonicMs() >= this.#restUntilMs) this.#open(firstStreamMs);
    this.#options.onChange();
  }

  /** Nobody answered in time. Another stream may lead to somebody who does. */
  #giveUpSilent(): void {
    const settle = this.#flight?.settle;
    const stream = this.#stream;
    this.#flight = undefined;
    this.#stream = undefined;
    const reason = 'Counting did not answer in time.';
    this.#distrust(reason);
    stream?.cancel();
    settle?.({ kind: 'unknown', reason });
    this.#options.onChange();
  }

  /**
   * Ends a stream that is in order and has no batch, and opens another one, which may lead to another replica. A server
   * that does not end it is found out by the keepalive of its connection.
   */
  #replace(serveMs: number): void {
    this.#stream?.end();
    if (this.#trust === 'trusted') this.#trust = 'renewing';
    this.#open(serveMs);
  }

  #believe(): void {
    if (this.#trust === 'suspect') this.#options.logger.info('counting answers again');
    this.#trust = 'trusted';
    this.#failures = 0;
    this.#forgiven = false;
  }

  #distrust(reason: string, error?: unknown): void {
    const { clock, logger, random } = this.#options;
    if (this.#trust !== 'suspect') logger.warn({ err: error, reason }, 'a stream to counting is given no more batches');
    this.#trust = 'suspect';
    this.#lastFailure = { reason, atMs: clock.nowMs() };
    const pauseMs =
      this.#failures === 0 ? firstPauseMs * random() : leastPauseMs + (longestPauseMs - leastPauseMs) * random();
    this.#failures += 1;
    this.#restUntilMs = clock.monotonicMs() + pauseMs;
  }

  #restAfterEnd(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#trust === 'trusted') this.#trust = 'renewing';
    this.#quickEnds = nowMs < this.#openedAtMs + quickEndMs ? this.#quickEnds + 1 : 0;
    if (this.#quickEnds === 0) return;
    const pauseMs = Math.min(longestPauseMs, firstEndPauseMs * 2 ** (this.#quickEnds - 1));
    this.#restUntilMs = nowMs + pauseMs * (0.5 + this.#options.random() / 2);
  }
}
