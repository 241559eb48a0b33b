import type { Database } from '@muster/database';
import type { EventBus } from '@muster/events';
import type { Logger } from '@muster/service-kit';
import { activationEvent } from './log-events.ts';
import type { LogPage } from './rows.ts';
import { logAfterStatement, outboxLagStatement, readCursorStatement, saveCursorStatement } from './statements.ts';

const pageRows = 512;
const consumer = 'bus';

/** What the relay is built from. */
export interface OutboxRelayParts {
  readonly database: Database;
  readonly bus: EventBus;
  readonly hostId: string;
  readonly logger: Logger;
}

/** How long the relay rests after a look, so that it reads pages and not single rows while requests pour in. */
const restMs = 100;
const restAfterFailureMs = 1_000;

/**
 * Publishes the activation log on the bus: in the order of commit, at least once, with a cursor in the database
 * (DESIGN 4.1). A bus that fails delays events and loses none: the rows stay, and the relay tries again.
 */
export class OutboxRelay {
  readonly #parts: OutboxRelayParts;
  #lastId: number | undefined;
  #looking: Promise<void> | undefined;
  #rest: NodeJS.Timeout | undefined;
  #wanted = false;
  #stopped = false;

  constructor(parts: OutboxRelayParts) {
    this.#parts = parts;
  }

  /** Says that there may be rows to publish. Returns at once. */
  wake(): void {
    this.#wanted = true;
    if (this.#stopped || this.#looking !== undefined || this.#rest !== undefined) return;
    this.#looking = this.#look();
  }

  /** Publishes what is left, then ends. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#looking;
    clearTimeout(this.#rest);
    await this.#publishAll();
  }

  /** Log rows that the bus has not had yet. */
  async lag(): Promise<number> {
    const rows = await this.#parts.database.query<{ lag: number }>(outboxLagStatement, [consumer]);
    return rows[0]?.lag ?? 0;
  }

  async #look(): Promise<void> {
    this.#wanted = false;
    const succeeded = await this.#publishAll();
    this.#looking = undefined;
    if (this.#stopped) return;
    this.#rest = setTimeout(
      () => {
        this.#rest = undefined;
        if (this.#wanted || !succeeded) this.wake();
      },
      succeeded ? restMs : restAfterFailureMs,
    );
  }

  async #publishAll(): Promise<boolean> {
    try {
      while (await this.#publishPage());
      return true;
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'events wait in the log: the bus or the database failed');
      return false;
    }
  }

  /** @returns whether there may be more. */
  async #publishPage(): Promise<boolean> {
    const { database, bus, hostId } = this.#parts;
    this.#lastId ??= (await database.query<{ last_id: number }>(readCursorStatement, [consumer]))[0]?.last_id ?? 0;
    const [answer] = await database.query<LogPage>(logAfterStatement, [this.#lastId, pageRows]);
    const rows = answer?.page ?? [];
    const last = rows.at(-1);
    if (last === undefined) return false;
    await bus.publish(rows.map((row) => activationEvent(row, hostId)));
    await database.query(saveCursorStatement, [consumer, last.id]);
    this.#lastId = last.id;
    return rows.length === pageRows;
  }
}
