import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '@muster/database';
import type { Logger } from '@muster/service-kit';
import { holdLeaseStatement, releaseLeaseStatement } from './statements.ts';

// A holder that was killed is followed within leaseMs + askMs, and one that stopped in order within askMs.
const leaseMs = 3_000;
const renewMs = 1_000;
const askMs = 500;

/** What a lease is asked for with. */
export interface RelayLeaseParts {
  readonly database: Database;
  readonly logger: Logger;
  readonly consumer: string;
  /** How people call this process. */
  readonly replica: string;
  /** Called when the lease was taken or lost. It must not throw. */
  readonly onChange: () => void;
}

/**
 * The right to publish the log, which one process has at a time.
 *
 * It is a row that ends by the database's clock unless it is renewed: a holder that was killed, cut off or stopped by
 * SIGSTOP loses it without a word, where an advisory lock would stay with a session that stands still. A holder that
 * wakes up late can think for a moment that it still holds it. Whoever writes under the lease makes the write depend on
 * `holder` in the same statement, so that this does no harm.
 */
export class RelayLease {
  /** Names this process, and no other, in the row. */
  readonly holder = randomUUID();
  readonly #parts: RelayLeaseParts;
  readonly #stopping = new AbortController();
  #asking: Promise<void> | undefined;
  #heldUntilMs = 0;
  #term = 0;
  #failed = false;

  constructor(parts: RelayLeaseParts) {
    this.#parts = parts;
  }

  /** Whether this process may publish, as far as it knows. */
  get held(): boolean {
    return performance.now() < this.#heldUntilMs;
  }

  /** Grows each time that the lease is taken anew. */
  get term(): number {
    return this.#term;
  }

  /** Asks for the lease, and renews it, until `release`. */
  start(): void {
    this.#asking ??= this.#keepAsking();
  }

  /** Gives the lease back, so that another process takes it at once. */
  async release(): Promise<void> {
    this.#stopping.abort();
    await this.#asking;
    this.#heldUntilMs = 0;
    try {
      await this.#parts.database.query(releaseLeaseStatement, [this.#parts.consumer, this.holder]);
    } catch (error) {
      this.#parts.logger.debug({ err: error }, 'the lease of the relay was not given back; it ends by itself');
    }
  }

  async #keepAsking(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#ask();
      await delay(this.held ? renewMs : askMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #ask(): Promise<void> {
    const { database, logger, consumer, replica, onChange } = this.#parts;
    // Reckoned from before the question, so that we never think to hold it longer than the database does.
    const askedMs = performance.now();
    const heldBefore = this.held;
    try {
      const rows = await database.query(holdLeaseStatement, [consumer, this.holder, replica, leaseMs]);
      this.#heldUntilMs = rows.length === 0 ? 0 : askedMs + leaseMs;
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) logger.warn({ err: error }, 'the database was not asked who publishes the events');
      this.#failed = true;
    }
    if (this.held && !heldBefore) this.#term += 1;
    if (this.held === heldBefore) return;
    logger.info({ replica }, this.held ? 'this replica publishes the events' : 'this replica publishes no events');
    onChange();
  }
}
