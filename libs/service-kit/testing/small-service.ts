import { CountingService } from '@muster/contracts/counting';
import { hostAndPort, runService, serveGrpc, wholeNumber } from '../src/index.ts';

/** A service that starts and drains as slowly as its settings say, in a process of its own. */
const after = (durationMs: number) => new Promise<void>((resolve) => setTimeout(resolve, durationMs));

await runService({
  name: 'counting',
  purpose: 'is small.',
  managementListen: '127.0.0.1:7299',
  settings: {
    SMALL_LISTEN: hostAndPort().describe('Address that serves gRPC'),
    SMALL_START_MS: wholeNumber(0, 1_000_000).default(0).describe('Milliseconds that the start takes'),
    SMALL_CALL_MS: wholeNumber(0, 1_000_000).default(0).describe('Milliseconds that each call takes'),
  },
  async start({ settings, tls, readiness, drainMs, logger }) {
    await after(settings.SMALL_START_MS);
    const implementation = {
      async *count() {},
      async getCounts() {
        logger.info('asked');
        await after(settings.SMALL_CALL_MS);
        return { counts: [] };
      },
      async *listMachines() {},
    };
    const services = [{ definition: CountingService, implementation }];
    const drain = await serveGrpc(settings.SMALL_LISTEN, services, { tls, readiness, drainMs });
    return { status: () => ({ size: 'small' }), stop: drain };
  },
});
