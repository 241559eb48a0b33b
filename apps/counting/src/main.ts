import { CountingService } from '@muster/contracts/counting';
import { openDatabase } from '@muster/database';
import { hostAndPort, runService, serveGrpc, systemClock, text } from '@muster/service-kit';
import { countingMigrations } from './migrations.ts';
import { createCounting } from './service.ts';

await runService({
  name: 'counting',
  purpose: 'counts machines and keeps the activation log.',
  settings: {
    MUSTER_COUNTING_DATABASE: text().describe('postgres://user:password@host/database, or a directory to embed one in'),
    MUSTER_COUNTING_LISTEN: hostAndPort().default('127.0.0.1:7101').describe('Address that serves gRPC'),
  },
  async start(settings, logger) {
    const database = await openDatabase(settings.MUSTER_COUNTING_DATABASE);
    await database.migrate(countingMigrations);
    const implementation = createCounting({ database, clock: systemClock, logger });
    const drain = await serveGrpc(settings.MUSTER_COUNTING_LISTEN, [{ definition: CountingService, implementation }]);
    return async () => {
      await drain();
      await database.close();
    };
  },
});
