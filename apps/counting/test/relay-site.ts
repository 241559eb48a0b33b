import { countingMigrations, createCounting, createCountingAdministration, OutboxRelay } from '@muster/counting';
import { type Database, openPostgresql } from '@muster/database';
import { type PostgresqlServer, startPostgresql } from '@muster/database/testing';
import { connectNatsBus, type NatsBus, type StreamedEvent } from '@muster/events';
import { type NatsServer, startNatsServer } from '@muster/events/testing';
import { createLogger, type Logger, systemClock } from '@muster/service-kit';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { vi } from 'vitest';
import { ask, batchOf, cmidOf } from './batches.ts';
import { hostId } from './host-id.ts';

/** A warning that a relay wrote. */
export interface Warning {
  readonly details: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** One replica's relay, with a bus and a view of the database of its own. */
export interface TestRelay {
  readonly relay: OutboxRelay;
  readonly bus: NatsBus;
  readonly warnings: readonly Warning[];
  /** Ends it as a killed process ends: it reaches nothing any more and gives nothing back. */
  kill(): Promise<void>;
}

/** Counting over a real PostgreSQL and a real NATS. */
export class RelaySite {
  readonly postgresql: PostgresqlServer;
  readonly nats: NatsServer;
  readonly database: Database;
  readonly #closers: (() => Promise<void>)[] = [];

  private constructor(postgresql: PostgresqlServer, nats: NatsServer, database: Database) {
    this.postgresql = postgresql;
    this.nats = nats;
    this.database = database;
  }

  static async start(): Promise<RelaySite> {
    const postgresql = await startPostgresql();
    const nats = await startNatsServer();
    const database = await openPostgresql({ url: postgresql.url });
    await database.migrate(countingMigrations);
    return new RelaySite(postgresql, nats, database);
  }

  async stop(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    await this.database.close();
    await this.nats.stop();
    this.postgresql.stop();
  }

  /** Stops every relay and empties the log and the stream. */
  async clear(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    for (const table of ['activation_log', 'log_time', 'machine', 'outbox_cursor', 'relay_lease']) {
      await this.database.query({ name: `test.clear_${table}`, text: `delete from counting.${table}` });
    }
    const connection = await connect({ servers: this.nats.url });
    const { streams } = await jetstreamManager(connection);
    for await (const { config } of streams.list()) await streams.delete(config.name);
    await connection.close();
  }

  async openBus(): Promise<NatsBus> {
    const bus = connectNatsBus({ servers: [this.nats.url], name: 'test', stream: { duplicateWindowMs: 1_000 } });
    this.#closers.push(() => bus.close());
    await vi.waitUntil(() => bus.connected, { timeout: 10_000 });
    return bus;
  }

  async openRelay(replica: string): Promise<TestRelay> {
    const bus = await this.openBus();
    let killed = false;
    const warnings: Warning[] = [];
    const logger = createLogger('test', 'silent');
    logger.warn = ((details: Warning['details'], message: string) => {
      warnings.push({ details, message });
    }) as Logger['warn'];
    const database: Database = {
      ...this.database,
      query: (statement, parameters) =>
        killed ? Promise.reject(new Error('killed')) : this.database.query(statement, parameters),
    };
    const relay = new OutboxRelay({ database, bus, hostId, logger, replica });
    this.#closers.push(() => relay.stop());
    relay.start();
    return {
      relay,
      bus,
      warnings,
      async kill() {
        killed = true;
        await bus.close();
      },
    };
  }

  get administration() {
    return createCountingAdministration({ database: this.database, clock: systemClock });
  }

  /** Waits until a replica relays. */
  async relays(replica: string, timeout = 20_000): Promise<void> {
    await vi.waitUntil(async () => (await this.administration.getOutbox({})).relay === replica, {
      timeout,
      interval: 20,
    });
  }

  /** Commits so many log rows in batches of at most 100, by machines of which each comes again. */
  async count(rows: number): Promise<void> {
    const counting = createCounting({
      database: this.database,
      clock: systemClock,
      logger: createLogger('test', 'silent'),
    });
    for (let done = 0; done < rows; done += 100) {
      const requests = Array.from({ length: Math.min(100, rows - done) }, (_, n) => ({
        cmid: cmidOf(n % 60),
        raisesCount: true,
        threshold: 5,
        machineName: '',
        fingerprint: '',
      }));
      const { failure } = await ask(counting, batchOf('an-application', requests));
      if (failure !== '') throw new Error(failure);
    }
  }

  /** The ids of the events that the log asks for, in the order of commit. */
  async logged(): Promise<readonly string[]> {
    const rows = await this.database.query<{ activation_id: string }>({
      name: 'test.logged',
      text: 'select activation_id from counting.activation_log order by id',
    });
    return rows.map((row) => row.activation_id);
  }

  /** Waits until the relay has published every row. */
  async published(timeout = 30_000): Promise<void> {
    await vi.waitUntil(async () => (await this.administration.getOutbox({})).lag === 0, { timeout, interval: 20 });
  }

  /** Every event that the stream holds at this moment, in its order. */
  async streamed(): Promise<readonly StreamedEvent[]> {
    const bus = await this.openBus();
    const { lastSequence } = await bus.stream.inspect();
    const events: StreamedEvent[] = [];
    if (lastSequence === 0) return events;
    for await (const event of bus.read({ signal: AbortSignal.timeout(30_000) })) {
      events.push(event);
      if (event.sequence >= lastSequence) break;
    }
    return events;
  }
}

/** The ids of events after de-duplication: of each the first. */
export function distinctIds(events: readonly StreamedEvent[]): readonly string[] {
  return [...new Set(events.map(({ event }) => event.id))];
}
