import type { Database, Session } from '@muster/database';
import type { Clock, Logger } from '@muster/service-kit';
import {
  attachMonth,
  createMonth,
  deleteStrays,
  dropPartition,
  indexMonth,
  limitsStatement,
  lockBatches,
  lockLog,
  moveStrays,
  partitionIds,
  partitionsStatement,
  publishedStatement,
  strayMonthsStatement,
  tryKeeperLock,
} from './log-keeper-statements.ts';
import { type LogPartition, logRemovals, missingMonths, monthName } from './log-months.ts';

/**
 * How many whole months of the log are kept unless told: 24, the longest that an activation is valid (730 days, DESIGN
 * 2.3). So the log holds the grant of every activation that may still be in force.
 */
export const defaultLogRetentionMonths = 24;

const dayMs = 24 * 60 * 60_000;
const firstRetryMs = 60_000;
const longestRetryMs = 60 * 60_000;
/** How often it is looked whether a run is due. */
const lookMs = 30_000;

/** What the keeper is built from. */
export interface LogKeeperParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whole months that the log is kept for, beside the present one; 0 keeps it for ever. `defaultLogRetentionMonths` unless told. */
  readonly logRetentionMonths?: number;
}

/**
 * Keeps the months of the activation log: makes the partitions of this month and the next two, moves rows that found
 * none to theirs, and drops months that are older than the retention and published.
 *
 * It runs once a day, when the month changes, and again within the hour after it failed. Whatever it fails at, the log
 * goes on: rows without a month go to the default partition. It may run in every replica: one of them works at a time.
 */
export class LogKeeper {
  readonly #parts: Required<LogKeeperParts>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<boolean> | undefined;
  #dueAtMs = 0;
  #lastMonth = '';
  #retryMs = firstRetryMs;

  constructor(parts: LogKeeperParts) {
    this.#parts = { logRetentionMonths: defaultLogRetentionMonths, ...parts };
  }

  /** Runs for the first time and from then on when it is due. Returns at once. */
  start(): void {
    this.#timer ??= setInterval(() => void this.look(), lookMs).unref();
    void this.look();
  }

  /** Ends what runs, and runs no more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  /**
   * Runs if a run is due by the clock.
   *
   * @returns whether one ran and succeeded.
   */
  async look(): Promise<boolean> {
    const { clock } = this.#parts;
    const isDue = clock.monotonicMs() >= this.#dueAtMs || monthName(clock.nowMs()) !== this.#lastMonth;
    if (this.#running !== undefined || !isDue) return false;
    this.#running = this.#run();
    const succeeded = await this.#running;
    this.#running = undefined;
    return succeeded;
  }

  async #run(): Promise<boolean> {
    const { clock, logger } = this.#parts;
    this.#lastMonth = monthName(clock.nowMs());
    try {
      await this.keep();
      this.#dueAtMs = clock.monotonicMs() + dayMs;
      this.#retryMs = firstRetryMs;
      return true;
    } catch (error) {
      logger.warn({ err: error, retryMs: this.#retryMs }, 'the months of the activation log were not kept');
      this.#dueAtMs = clock.monotonicMs() + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, longestRetryMs);
      return false;
    }
  }

  /**
   * Does everything that is to be done now. Another replica that is at it already is left to it.
   *
   * @throws the engine's error when a lock was not to be had or the database fails; then what was done so far is kept.
   */
  async keep(): Promise<void> {
    const { database, logger } = this.#parts;
    // A month at a time, so that no transaction is longer than it must be.
    for (;;) {
      const made = await database.transaction((session) => this.#makeMonth(session));
      if (made === undefined) break;
      logger.info({ month: made }, 'a month of the activation log was made');
    }
    if (this.#parts.logRetentionMonths > 0) await database.transaction((session) => this.#removeOld(session));
  }

  /** @returns the month that was made, if one was missing. */
  async #makeMonth(session: Session): Promise<string | undefined> {
    const { clock, logRetentionMonths } = this.#parts;
    if (!(await keeperLock(session))) return undefined;
    const nowMs = clock.nowMs();
    const partitions = await session.query<Omit<LogPartition, 'firstId' | 'lastId'>>(partitionsStatement);
    const strays = await session.query<{ month: number }>(strayMonthsStatement);
    const strayMonths = strays.map(({ month }) => month);
    const [month] = missingMonths(partitions, strayMonths, nowMs, logRetentionMonths);
    if (month === undefined) return undefined;

    await session.query(createMonth(month));
    // Rows never change, so most of them are moved while batches go on; only the last ones are moved under the lock.
    await session.query(moveStrays(month, 'before'));
    await session.query(indexMonth(month));
    await stopBatches(session);
    await session.query(moveStrays(month, 'under the lock'));
    await session.query(attachMonth(month));
    return monthName(month);
  }

  async #removeOld(session: Session): Promise<void> {
    const { clock, logger, logRetentionMonths } = this.#parts;
    if (!(await keeperLock(session))) return;
    const partitions: LogPartition[] = [];
    for (const partition of await session.query<Omit<LogPartition, 'firstId' | 'lastId'>>(partitionsStatement)) {
      partitions.push({ ...partition, ...(await readIds(session, partition.name)) });
    }
    const [published] = await session.query<{ id: number }>(publishedStatement);
    const removals = logRemovals(partitions, clock.nowMs(), logRetentionMonths, published?.id ?? 0);
    const names = (list: readonly LogPartition[]) => list.map(({ name }) => name);
    if (removals.unpublished.length > 0) {
      logger.warn(
        { partitions: names(removals.unpublished) },
        'months older than the retention wait for their events to be published',
      );
    }
    await session.query(deleteStrays, [removals.defaultBelowId]);
    if (removals.partitions.length === 0) return;

    await stopBatches(session);
    await session.query(lockLog);
    for (const partition of removals.partitions) {
      // A replica with a wrong clock may have logged something there in the meantime.
      const { lastId } = await readIds(session, partition.name);
      if (lastId === partition.lastId) await session.query(dropPartition(partition.name));
    }
    logger.info({ partitions: names(removals.partitions) }, 'months older than the retention were dropped');
  }
}

/**
 * From here on batches wait until the transaction ends, so it must be short. Waiting for its turn behind other batches
 * holds nobody up; waiting for a table then would.
 */
async function stopBatches(session: Session): Promise<void> {
  await session.query(limitsStatement, ['1s', '1s', '10s']);
  await session.query(lockBatches);
  await session.query(limitsStatement, ['100ms', '1s', '10s']);
}

/** @returns whether this keeper is the one that works. */
async function keeperLock(session: Session): Promise<boolean> {
  await session.query(limitsStatement, ['1s', '5s', '0']);
  const [lock] = await session.query<{ taken: boolean }>(tryKeeperLock);
  return lock?.taken === true;
}

async function readIds(session: Session, name: string): Promise<Pick<LogPartition, 'firstId' | 'lastId'>> {
  const [ids] = await session.query<Pick<LogPartition, 'firstId' | 'lastId'>>(partitionIds(name));
  return ids ?? { firstId: null, lastId: null };
}
