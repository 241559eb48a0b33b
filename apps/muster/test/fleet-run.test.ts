import { systemClock } from '@muster/service-kit';
import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import { expect, test } from 'vitest';
import { isFine, runFleet } from '../src/fleet-run.ts';
import { startSite } from '../src/site.ts';
import { atTheEnd } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';

const machines = Array.from({ length: 60 }, (_, index) => ({
  machineName: `PC-${index}`,
  application: 'windows',
  edition: 'vista-business',
  machineClass: 'physical' as const,
  cmid: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
}));

test('a fleet that asks faster than one address may asks again, and every machine is answered', async () => {
  const site = await startSite({
    dataDirectory: await dataDirectory(),
    activationPort: 0,
    activationAddress: '127.0.0.1',
    demo: true,
    clock: systemClock,
    // Fifty at once, then ten a second.
    limits: { requestRatePerAddress: 10, ratesOnLoopback: true },
  });
  atTheEnd(() => site.stop());
  const results = await runFleet(machines, {
    host: '127.0.0.1',
    port: site.activationPort,
    vendorKeys: vendorKeys(publicKeyFromJwk(site.demoVendorKey ?? '')),
    concurrency: machines.length,
  });
  expect(site.gateway.statistics.results.get('RATE_LIMITED')).toBeGreaterThan(0);
  expect(results.filter((result) => !isFine(result))).toEqual([]);
  expect(results).toHaveLength(machines.length);
});
