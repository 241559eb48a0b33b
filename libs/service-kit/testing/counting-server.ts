import { CountingService } from '@muster/contracts/counting';
import { serveGrpc } from '../src/index.ts';

/**
 * A counting in a process of its own, on the address that it is given: a test sees what it survives. It answers each
 * message of its parent with its resident memory, in bytes.
 */
const [address = ''] = process.argv.slice(2);
const implementation = {
  async *count() {},
  getCounts: async () => ({ counts: [] }),
  async *listMachines() {},
};
await serveGrpc(address, [{ definition: CountingService, implementation }]);
process.on('message', () => process.send?.(process.memoryUsage.rss()));
process.send?.('serving');
