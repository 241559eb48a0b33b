import { hostname } from 'node:os';
import { CountingAdministrationService, CountingService } from '@muster/contracts/counting';
import { type Database, openDatabase } from '@muster/database';
import { connectNatsBus, type NatsBus, streamOptions } from '@muster/events';
import {
  hostAndPort,
  type Logger,
  natsConnectionOf,
  natsSettings,
  type Readiness,
  runService,
  type Settings,
  secret,
  serveGrpc,
  systemClock,
  text,
  wholeNumber,
} from '@muster/service-kit';
import { createCountingAdministration } from './administration.ts';
import { defaultLogRetentionMonths, LogKeeper } from './log-keeper.ts';
import { countingMigrations } from './migrations.ts';
import { OutboxRelay } from './outbox-relay.ts';
import { createCounting } from './service.ts';
import { probeStatement } from './statements.ts';

const settings = {
  MUSTER_COUNTING_DATABASE: secret('postgres://... or directory').describe(
    'postgres://user:password@host/database, or a directory to embed a database in',
  ),
  MUSTER_COUNTING_LISTEN: hostAndPort().default('127.0.0.1:7101').describe('Address that serves gRPC'),
  MUSTER_COUNTING_ID: text('name')
    .optional()
    .describe('Names this replica in logs and as the relay of events; the host name when it is left out'),
  MUSTER_COUNTING_LOG_RETENTION_MONTHS: wholeNumber(0, 1_200)
    .default(defaultLogRetentionMonths)
    .describe('Whole months that the activation log is kept for, beside the present one; 0 keeps it for ever'),
  MUSTER_SITE: text('name')
    .default('site')
    .describe('Names this site in events: their source is /muster/NAME/counting'),
  ...natsSettings(),
  MUSTER_NATS_STREAM_REPLICAS: wholeNumber(1, 5)
    .default(1)
    .describe('NATS servers that hold a copy of the stream MUSTER, when it is made: 1, 3 or 5'),
  MUSTER_NATS_STREAM_MAX_AGE_DAYS: wholeNumber(0, 3_650)
    .default(30)
    .describe('Days that the stream keeps events, when it is made; 0 until it is full'),
  MUSTER_NATS_STREAM_MAX_GIB: wholeNumber(1, 1_000_000)
    .default(4)
    .describe('GiB of events that the stream keeps, when it is made; then the oldest go'),
};

await runService({
  name: 'counting',
  purpose: 'counts machines, keeps the activation log and publishes its events.',
  managementListen: '127.0.0.1:7201',
  settings,
  async start({ settings, logger, tls, readiness, drainMs }) {
    const replica = settings.MUSTER_COUNTING_ID ?? hostname();
    const database = await openDatabase(settings.MUSTER_COUNTING_DATABASE);
    await database.migrate(countingMigrations);
    const clock = systemClock;
    const keeper = new LogKeeper({
      database,
      clock,
      logger,
      logRetentionMonths: settings.MUSTER_COUNTING_LOG_RETENTION_MONTHS,
    });
    keeper.start();
    const bus = connectBus(settings, replica, logger);
    const relay = bus && new OutboxRelay({ database, bus, hostId: settings.MUSTER_SITE, logger, replica });
    relay?.start();
    const counting = createCounting({ database, clock, logger, onCommitted: () => relay?.wake() });
    addChecks(readiness, database, bus);
    const administration = createCountingAdministration({ database, clock, onReplay: () => relay?.wake() });
    const services = [
      { definition: CountingService, implementation: counting },
      { definition: CountingAdministrationService, implementation: administration },
    ];
    const drain = await serveGrpc(settings.MUSTER_COUNTING_LISTEN, services, { tls, readiness, drainMs });
    return {
      status: () => ({ replica, ...counting.statistics, relaying: relay?.active ?? false }),
      async stop() {
        counting.drain();
        await drain();
        await keeper.stop();
        await relay?.stop();
        await bus?.close();
        await database.close();
      },
    };
  },
});

function connectBus(given: Settings<typeof settings>, replica: string, logger: Logger): NatsBus | undefined {
  const connection = natsConnectionOf(given);
  if (connection === undefined) {
    logger.warn('MUSTER_NATS_SERVERS names no server: events stay in the log');
    return undefined;
  }
  return connectNatsBus({
    ...connection,
    name: replica,
    stream: streamOptions({
      replicas: given.MUSTER_NATS_STREAM_REPLICAS,
      maximumAgeDays: given.MUSTER_NATS_STREAM_MAX_AGE_DAYS,
      maximumGib: given.MUSTER_NATS_STREAM_MAX_GIB,
    }),
    onStatus: ({ level, message, error }) => logger[level](error === undefined ? {} : { err: error }, message),
  });
}

/** Nothing can be counted without the database; without the bus events wait, and nobody else does. */
function addChecks(readiness: Readiness, database: Database, bus: NatsBus | undefined): void {
  readiness.add({
    name: 'database',
    required: true,
    look: async () => {
      const [row] = await database.query<{ writable: boolean }>(probeStatement);
      return row?.writable ? { ok: true } : { ok: false, detail: 'the database takes no changes' };
    },
  });
  readiness.add({
    name: 'events',
    required: false,
    look: () => {
      if (bus === undefined)
        return { ok: false, detail: 'MUSTER_NATS_SERVERS names no server: events stay in the log' };
      const { problem } = bus.health();
      return problem === undefined ? { ok: true } : { ok: false, detail: problem };
    },
  });
}
