import type { Database } from '@muster/database';
import { type EventBus, PublishInterrupted } from '@muster/events';
import type { Logger } from '@muster/service-kit';
import { activationEvent } from './log-events.ts';
import { busConsumer, type OutboxCursor, readCursor, readPage, saveCursor } from './outbox-cursor.ts';
import { findRewind } from './outbox-rewind.ts';
import { RelayLease } from './relay-lease.ts';
import type { LogRow, OutboxRow } from './rows.ts';
import { outboxStatement } from './statements.ts';
import { WakeableRest } from './wakeable-rest.ts';

/** What the relay is built from. */
export interface OutboxRelayParts {
  readonly database: Database;
  readonly bus: EventBus;
  readonly hostId: string;
  readonly logger: Logger;
  /** How people call this process among the replicas; `counting` unless told. */
  readonly replica?: string;
}

const pageRows = 512;
/** How long the relay rests after a look, so that it reads pages and not single rows while requests pour in. */
const restMs = 100;
/** Other replicas commit as well and wake only their own relay. */
const lookEveryMs = 200;
/** Nobody else commits into an embedded database. */
const lookEmbeddedEveryMs = 1_000;
const longestRestAfterFailureMs = 1_000;
/** A stream that has lost its end is noticed within this time even when no connection was lost. */
const compareEveryMs = 3_000;
const drainMs = 5_000;

/**
 * Publishes the activation log on the bus: in the order of commit, at least once (DESIGN 4.1).
 *
 * The order is that of a **lock-ordered log**: every batch takes the same advisory lock before anything else
 * (migrations/counting/0002_count-batch.sql), so ids rise in the order of commit, and a reader of `id > cursor` can
 * neither overtake a transaction that commits late nor leave a gap behind. What was rolled back leaves a gap that never
 * fills.
 *
 * Of all replicas one relays at a time, by a lease in the database. The cursor is there too, and is moved only by the
 * holder and only from where it was read; a relay that wakes up late repeats events under ids that are known, and harms
 * nothing. A bus that fails delays events and loses none: the rows stay, and a page at a time is in memory.
 *
 * Behind a durable stream the relay compares, before it publishes over a new connection, when it takes over and every
 * three seconds, whether the stream still has what was published, and goes back when it has not.
 */
export class OutboxRelay {
  readonly #parts: OutboxRelayParts;
  readonly #lease: RelayLease;
  readonly #rest = new WakeableRest();
  readonly #lookEveryMs: number;
  #running: Promise<void> | undefined;
  #stopped = false;
  #failures = 0;
  #compared = { connection: 0, term: 0, atMs: Number.NEGATIVE_INFINITY };

  constructor(parts: OutboxRelayParts) {
    this.#parts = parts;
    this.#lookEveryMs = parts.database.engine === 'pglite' ? lookEmbeddedEveryMs : lookEveryMs;
    this.#lease = new RelayLease({
      ...parts,
      consumer: busConsumer,
      replica: parts.replica ?? 'counting',
      onChange: () => this.#rest.wake(),
    });
  }

  /** Begins to relay, as soon as no other replica does. */
  start(): void {
    if (this.#stopped) return;
    this.#lease.start();
    this.#running ??= this.#run();
  }

  /** Says that there may be rows to publish. Returns at once. */
  wake(): void {
    this.#rest.wake();
  }

  /** Whether this replica is the one that publishes, as far as it knows. */
  get active(): boolean {
    return this.#lease.held;
  }

  /** Publishes what is left, for at most five seconds, and lets another replica go on at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#rest.end();
    await this.#running;
    if (this.#running === undefined) return;
    const deadlineMs = performance.now() + drainMs;
    while (this.#lease.held && performance.now() < deadlineMs && (await this.#look()) === 'more');
    await this.#lease.release();
  }

  /** Log rows that the bus has not had yet. */
  async lag(): Promise<number> {
    const [row] = await this.#parts.database.query<OutboxRow>(outboxStatement, [busConsumer]);
    return row?.lag ?? 0;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const outcome = this.#lease.held ? await this.#look() : 'nothing';
      if (outcome === 'more') continue;
      if (outcome === 'failed') await this.#rest.atLeast(this.#restAfterFailureMs());
      else {
        await this.#rest.atLeast(restMs);
        await this.#rest.atMost(this.#lookEveryMs - restMs);
      }
    }
  }

  /** Publishes a page. @returns whether there is more, nothing more for now, or a failure that was told to the log. */
  async #look(): Promise<'more' | 'nothing' | 'failed'> {
    try {
      await this.#compareWhenDue();
      const more = await this.#publishPage();
      if (this.#failures > 1) this.#parts.logger.info({ failures: this.#failures }, 'events are published again');
      this.#failures = 0;
      return more ? 'more' : 'nothing';
    } catch (error) {
      // Whatever has failed, the stream is looked at before anything else is added to it.
      this.#compared.atMs = Number.NEGATIVE_INFINITY;
      this.#failures += 1;
      // One failure alone can come from another publisher, whose event came in between.
      if (this.#failures === 2) {
        this.#parts.logger.warn({ err: error }, 'events wait in the log: the bus or the database failed');
      }
      return 'failed';
    }
  }

  #restAfterFailureMs(): number {
    return Math.min(longestRestAfterFailureMs, 50 * 2 ** Math.min(this.#failures, 10));
  }

  async #compareWhenDue(): Promise<void> {
    const { database, bus, logger } = this.#parts;
    if (bus.stream === undefined) return;
    const { connection } = bus.stream;
    const { term } = this.#lease;
    const atMs = performance.now();
    const { connection: comparedConnection, term: comparedTerm, atMs: comparedAtMs } = this.#compared;
    if (connection === comparedConnection && term === comparedTerm && atMs < comparedAtMs + compareEveryMs) return;

    const state = await bus.stream.inspect();
    const cursor = await readCursor(database);
    const target = await findRewind(database, bus.stream, cursor, state);
    if (target !== undefined && (await saveCursor(database, this.#lease.holder, cursor, target))) {
      if (target.lastId < cursor.lastId) {
        logger.warn(
          { publishedId: cursor.lastId, backToId: target.lastId, was: cursor.place, is: state },
          'the stream has lost events; they are published again from the log',
        );
      }
    }
    this.#compared = { connection, term, atMs };
  }

  /** @returns whether there may be more. */
  async #publishPage(): Promise<boolean> {
    const { database, bus, hostId } = this.#parts;
    const { cursor, rows } = await readPage(database, pageRows);
    const last = rows.at(-1);
    if (last === undefined || !this.#lease.held) return false;
    // A connection that is new since the comparison may lead to a stream that has lost its end.
    if (bus.stream !== undefined && bus.stream.connection !== this.#compared.connection) return true;
    try {
      await bus.publish(rows.map((row) => activationEvent(row, hostId)));
    } catch (error) {
      const row = error instanceof PublishInterrupted ? rows[error.acknowledged - 1] : undefined;
      if (row !== undefined) await this.#save(cursor, row);
      throw error;
    }
    await this.#save(cursor, last);
    return rows.length === pageRows;
  }

  async #save(cursor: OutboxCursor, row: LogRow): Promise<void> {
    const { database, bus, logger } = this.#parts;
    const published = bus.stream?.lastPublished;
    const place = published?.eventId === row.activation_id ? published : cursor.place;
    if (await saveCursor(database, this.#lease.holder, cursor, { lastId: row.id, place })) return;
    logger.info({ id: row.id }, 'the cursor was moved by somebody else meanwhile; it stays where they left it');
  }
}
