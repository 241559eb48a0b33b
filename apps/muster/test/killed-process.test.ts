import { readFileSync } from 'node:fs';
import { openPglite } from '@muster/database';
import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import { beforeAll, expect, test } from 'vitest';
import type { FleetMachine } from '../src/fleet-file.ts';
import { type FleetResult, runFleet } from '../src/fleet-run.ts';
import { dataDirectory } from './support/data-directory.ts';
import { cmidOf, range } from './support/machines.ts';
import { MusterUser, type ServeProcess } from './support/muster-process.ts';

const user = new MusterUser();
const data = await dataDirectory();
const machinesOfRound = 40;

/** The 40 servers of a round, which no other round has. */
function fleetOfRound(round: number): FleetMachine[] {
  return range(1, machinesOfRound).map((number) => ({
    machineName: `ROUND-${round}-${number}`,
    application: 'windows',
    edition: 'server-2008-standard',
    machineClass: 'physical',
    cmid: cmidOf(round * 1_000 + number),
  }));
}

function ask(
  machines: readonly FleetMachine[],
  { ready }: ServeProcess,
  onResult: (result: FleetResult) => void = () => undefined,
): Promise<readonly FleetResult[]> {
  return runFleet(machines, {
    host: '127.0.0.1',
    port: ready.activationPort,
    vendorKeys: vendorKeys(publicKeyFromJwk(readFileSync(ready.vendorKeyFile, 'utf8').trim())),
    concurrency: 8,
    onResult,
  });
}

/** The answers of a run: what a machine may rely on from then on. */
const answered = (results: readonly FleetResult[]) => results.filter(({ activationId }) => activationId !== null);

const everyAnswer: FleetResult[] = [];
let site: ServeProcess;

beforeAll(async () => {
  site = await user.serve('--demo', '--data', data);
});

test.each([
  { round: 1, killAfter: 1 },
  { round: 2, killAfter: 17 },
  { round: 3, killAfter: 25 },
])(
  'a site that is killed after $killAfter answers of a fleet run has lost none of them (round $round)',
  async (row) => {
    const { round, killAfter } = row;
    const machines = fleetOfRound(round);
    let answers = 0;
    const interrupted = await ask(machines, site, (result) => {
      if (result.activationId !== null) answers += 1;
      if (answers === killAfter) site.kill('SIGKILL');
    });
    expect(await site.finished).toMatchObject({ code: null, signal: 'SIGKILL' });
    const before = answered(interrupted);
    expect(before.length).toBeGreaterThanOrEqual(killAfter);
    expect(before.length).toBeLessThan(machinesOfRound);
    expect(new Set(interrupted.map(({ code }) => code))).toContain('HOST_UNREACHABLE');
    everyAnswer.push(...before);

    const { hostId } = site.ready;
    site = await user.serve('--data', data);
    expect(site.ready.hostId).toBe(hostId);
    const { stdout } = await user.run(['machines', 'list', '--json', '--data', data]);
    const listed: readonly { readonly cmid: string; readonly counted: boolean }[] = JSON.parse(stdout).machines;
    const counted = new Set(listed.filter((machine) => machine.counted).map(({ cmid }) => cmid));
    expect(everyAnswer.filter(({ cmid }) => !counted.has(cmid))).toEqual([]);

    const complete = await ask(machines, site);
    // In the first round, the first machines to ask again may still find a count below 5.
    const codes = (round === 1 ? complete.slice(-machinesOfRound / 2) : complete).map(({ code }) => code);
    expect(new Set(codes)).toEqual(new Set(['GRANTED']));
    expect(answered(complete)).toHaveLength(machinesOfRound);
    everyAnswer.push(...answered(complete));
    const status = JSON.parse((await user.run(['status', '--json', '--data', data])).stdout);
    expect(status.applications[0]).toMatchObject({
      count: Math.min(50, round * machinesOfRound),
      machinesCounted: round * machinesOfRound,
      machinesKnown: round * machinesOfRound,
    });
  },
);

test('every answer that any machine ever got is in the activation log, as it was given', async () => {
  expect(await site.stop()).toMatchObject({ code: 0 });
  const database = await openPglite({ directory: data });
  const log = await database.query<{ activation_id: string; cmid: string; code: string; count: number }>({
    name: 'acceptance.log',
    text: 'select activation_id, cmid, code, count from counting.activation_log order by id',
  });
  await database.close();
  const logged = new Map(log.map((entry) => [entry.activation_id, entry]));
  expect(logged.size).toBe(log.length);
  expect(everyAnswer.length).toBeGreaterThan(3 * machinesOfRound);
  for (const { activationId, cmid, code, count } of everyAnswer) {
    expect(logged.get(activationId ?? '')).toMatchObject({ cmid, code, count });
  }
});
