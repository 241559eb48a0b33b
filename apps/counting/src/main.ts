import { CountingService } from '@muster/contracts/counting';
import { openDatabase } from '@muster/database';
import { hostAndPort, runService, secret, serveGrpc, systemClock, text } from '@muster/service-kit';
import { countingMigrations } from './migrations.ts';
import { createCounting } from './service.ts';

await runService({
  name: 'counting',
  purpose: 'counts machines and keeps the activation log.',
  managementListen: '127.0.0.1:7201',
  settings: {
    MUSTER_COUNTING_DATABASE: secret('postgres://... or directory').describe(
      'postgres://user:password@host/database, or a directory to embed a database in',
    ),
    MUSTER_COUNTING_LISTEN: hostAndPort().default('127.0.0.1:7101').describe('Address that serves gRPC'),
    MUSTER_COUNTING_ID: text('name')
      .optional()
      .describe('Names this replica in logs and as the relay of events; the host name when it is left out'),
  },
  async start({ settings, logger, tls, readiness, drainMs }) {
    const database = await openDatabase(settings.MUSTER_COUNTING_DATABASE);
    await database.migrate(countingMigrations);
    const implementation = createCounting({ database, clock: systemClock, logger });
    const services = [{ definition: CountingService, implementation }];
    const drain = await serveGrpc(settings.MUSTER_COUNTING_LISTEN, services, { tls, readiness, drainMs });
    return {
      async stop() {
        await drain();
        await database.close();
      },
    };
  },
});
