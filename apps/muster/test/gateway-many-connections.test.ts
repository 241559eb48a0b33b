import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Child } from './support/child.ts';
import { report, until } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import type { AskResult, ClientOrder } from './support/door-clients.ts';
import { MusterUser } from './support/muster-process.ts';

/** The machines of CI allow 20,000 descriptors to a process. */
const connections = 15_000;

/** Resident memory of a process, bytes. */
function residentBytes(processId: number): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${processId}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1_024;
}

/** Seconds that a process has worked on a processor, of 100 ticks each. */
function processorSeconds(processId: number): number {
  const fields = readFileSync(`/proc/${processId}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

test('15,000 silent connections cost at most 12 KiB each, and new clients are served as before', async () => {
  const user = new MusterUser();
  const serving = await user.serve('--demo', '--data', await dataDirectory());
  const { activationPort: port, processId, vendorKeyFile } = serving.ready;
  const vendorKey = readFileSync(vendorKeyFile, 'utf8');
  const [holders, clients] = [new Child<ClientOrder>('door-clients.ts'), new Child<ClientOrder>('door-clients.ts')];
  const ask = () => clients.ask<AskResult>({ kind: 'ask', port, vendorKey, seconds: 2, perSecond: 50 });
  const alone = await ask();
  expect(alone).toMatchObject({ answers: 100, failures: {} });

  const before = residentBytes(processId);
  expect(await holders.ask<number>({ kind: 'hold', port, connections })).toBe(connections);
  const open = async () => {
    const { stdout } = await user.run(['status', '--json', '--data', serving.ready.dataDirectory]);
    return JSON.parse(stdout).gateway.connectionsOpen;
  };
  await until(async () => (await open()) === connections, 'every connection is taken');
  const perConnection = (residentBytes(processId) - before) / connections;
  const workedBefore = processorSeconds(processId);
  const startedMs = performance.now();
  const crowded = await ask();
  const busy = (processorSeconds(processId) - workedBefore) / ((performance.now() - startedMs) / 1_000);
  report(
    `${connections} connections: ${(perConnection / 1_024).toFixed(2)} KiB each`,
    `a new client at 50/s: p50 ${alone.p50Ms} ms, p99 ${alone.p99Ms} ms alone`,
    `p50 ${crowded.p50Ms} ms, p99 ${crowded.p99Ms} ms among them; the server busy ${(100 * busy).toFixed(0)} %`,
  );
  expect(perConnection).toBeLessThanOrEqual(12 * 1_024);
  expect(crowded).toMatchObject({ answers: 100, failures: {} });
  expect(crowded.p50Ms).toBeLessThan(50);
  expect(await open()).toBe(connections);
});
