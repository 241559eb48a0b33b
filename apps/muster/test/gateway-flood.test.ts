import { expect, test } from 'vitest';
import { Child } from './support/child.ts';
import { report } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import type { AskResult, ClientOrder, FloodResult } from './support/door-clients.ts';
import type { SiteOrder, SiteStatistics, StartedSite } from './support/site-process.ts';

const seconds = 8;
const perSecond = 50;

test('a flood from one address is held down to its rates, and clients of other addresses are served', async () => {
  const site = new Child<SiteOrder>('site-process.ts');
  const started = await site.ask<StartedSite>({
    kind: 'start',
    dataDirectory: await dataDirectory(),
    // All clients of this test are on this machine, where the rates do not hold by default.
    limits: { ratesOnLoopback: true },
  });
  const { port, vendorKey } = started;
  const [flooder, clients] = [new Child<ClientOrder>('door-clients.ts'), new Child<ClientOrder>('door-clients.ts')];
  const ask = (duration: number) =>
    clients.ask<AskResult>({ kind: 'ask', port, vendorKey, seconds: duration, perSecond });
  const alone = await ask(2);
  const [flood, among] = await Promise.all([
    flooder.ask<FloodResult>({ kind: 'flood', port, address: '127.0.9.9', seconds }),
    ask(seconds),
  ]);
  const statistics = await site.ask<SiteStatistics>({ kind: 'statistics' });
  report(
    `a flood of ${flood.connections} connections and ${flood.requests} requests in ${seconds} s`,
    `granted or refused ${flood.counted}, RATE_LIMITED ${flood.rateLimited}`,
    `others p50 ${alone.p50Ms} ms, p99 ${alone.p99Ms} ms before, p50 ${among.p50Ms} ms, p99 ${among.p99Ms} ms during it`,
  );

  expect(alone).toMatchObject({ answers: 2 * perSecond, failures: {} });
  expect(among).toMatchObject({ answers: seconds * perSecond, failures: {} });
  // A burst of 500, 100 a second, and some for the time between the two clocks.
  expect(flood.counted).toBeGreaterThanOrEqual(500);
  expect(flood.counted).toBeLessThanOrEqual(500 + 100 * (seconds + 2));
  expect(flood.rateLimited).toBeGreaterThanOrEqual(500);
  expect(flood.withoutAdvice).toBe(0);
  expect(statistics.limits['request-rate']).toBeGreaterThanOrEqual(flood.rateLimited);
  expect(statistics.limits['connection-rate']).toBeGreaterThan(0);
  expect(flood.connections - (statistics.limits['connection-rate'] ?? 0)).toBeLessThanOrEqual(
    1_000 + 200 * (seconds + 2),
  );
});
