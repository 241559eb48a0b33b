import { MachineClass, ResultCode } from '@muster/contracts/activation';
import type { CountBatch, CountRequest } from '@muster/contracts/counting';
import { type Database, openPgliteInMemory, openPostgresql } from '@muster/database';
import { startPostgresql } from '@muster/database/testing';
import { type CountableRequest, countBatch, type KnownMachine } from '@muster/product-groups';
import { createLogger, ManualClock } from '@muster/service-kit';
import { parseUuid, resultCodeName } from '@muster/wire-codec';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countingMigrations } from './migrations.ts';
import { createCounting } from './service.ts';

const minuteMs = 60_000;
const retentionMinutes = 30 * 24 * 60;
const start = Date.parse('2026-11-24T12:00:00Z');
const cmidOf = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

const engines = {
  PGlite: async () => {
    const database = await openPgliteInMemory();
    return { database, stop: () => database.close() };
  },
  PostgreSQL: async () => {
    const server = await startPostgresql();
    const database = await openPostgresql({ url: server.url });
    return {
      database,
      stop: async () => {
        await database.close();
        server.stop();
      },
    };
  },
};

interface Step {
  readonly minutesLater: number;
  readonly requests: readonly CountableRequest[];
}

const request = fc.record({
  cmid: fc.nat(9).map(cmidOf),
  raisesCount: fc.boolean(),
  threshold: fc.constantFrom(1, 3, 5),
  machineName: fc.constantFrom('', 'PC-1', 'PC-2'),
  fingerprint: fc.constantFrom('', 'aa', 'bb'),
  refused: fc.nat(9).map((n) => n === 0),
});
const step: fc.Arbitrary<Step> = fc.record({
  minutesLater: fc.constantFrom(0, 1, 24 * 60, 15 * 24 * 60, retentionMinutes - 1, retentionMinutes),
  requests: fc.array(
    request.map(({ refused, ...rest }) => (refused ? { ...rest, refusal: 'PRODUCT_NOT_COVERED' as const } : rest)),
    { minLength: 1, maxLength: 12 },
  ),
});

describe.each(Object.entries(engines))('a batch counted on %s', (_, open) => {
  let database: Database;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    ({ database, stop } = await open());
    await database.migrate(countingMigrations);
  });
  afterAll(() => stop());

  test('is decided as the rules of product-groups decide it', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const application = `application-${run++}`;
        const clock = new ManualClock(start);
        const counting = createCounting({ database, clock, logger: createLogger('test', 'silent') });
        let machines: ReadonlyMap<string, KnownMachine> = new Map();
        const rules = { countCap: 10, countRetentionMs: retentionMinutes * minuteMs };
        for (const { minutesLater, requests } of steps) {
          clock.advance(minutesLater * minuteMs);
          const expected = countBatch(machines, requests, rules, clock.nowMs());
          machines = expected.machines;
          const batch = toBatch(application, requests);
          const answers = await collect(counting.count(only(batch)));
          expect(answers).toHaveLength(1);
          expect(answers[0]?.failure).toBe('');
          expect(answers[0]?.results.map(({ code, count }) => ({ code: resultCodeName(code), count }))).toEqual(
            expected.decisions.map(({ code, count }) => ({ code, count })),
          );
          const listed = await collect(counting.listMachines({ rules: batch.rules, application, clonedOnly: false }));
          expect(
            listed.map((machine) => ({
              cmid: Buffer.from(machine.cmid).toString('hex'),
              firstRequestMs: machine.firstRequestUnixMs,
              lastRequestMs: machine.lastRequestUnixMs,
              machineName: machine.machineName,
              fingerprint: Buffer.from(machine.fingerprint).toString('hex'),
              clonedSinceMs: machine.clonedSinceUnixMs,
            })),
          ).toEqual(
            [...machines]
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([cmid, machine]) => ({
                cmid: cmid.replaceAll('-', ''),
                firstRequestMs: machine.firstRequestMs,
                lastRequestMs: machine.lastRequestMs,
                machineName: machine.machineName,
                fingerprint: machine.fingerprint,
                clonedSinceMs: machine.clonedSinceMs ?? 0,
              })),
          );
          const { counts } = await counting.getCounts({ rules: batch.rules });
          expect(counts[0]?.machinesCounted).toBe(listed.filter((machine) => machine.counted).length);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('leaves one log row for each request, in the order of the requests, under the id that was answered', async () => {
    const counting = createCounting({
      database,
      clock: new ManualClock(start),
      logger: createLogger('test', 'silent'),
    });
    const requests = Array.from({ length: 256 }, (_, n) => ({
      cmid: cmidOf(1000 + (n % 200)),
      raisesCount: true,
      threshold: 25,
      machineName: `PC-${n % 200}`,
      fingerprint: '',
    }));
    const [answer] = await collect(counting.count(only(toBatch('log-order', requests))));
    const rows = await database.query<{ activation_id: string; machine_name: string; count: number; code: string }>({
      name: 'test.log',
      text: `select activation_id, machine_name, count, code from counting.activation_log
             where application = 'log-order' order by id`,
    });
    expect(rows.map((row) => row.machine_name)).toEqual(requests.map((request) => request.machineName));
    expect(rows.map((row) => row.activation_id.replaceAll('-', ''))).toEqual(
      answer?.results.map((result) => Buffer.from(result.activationId).toString('hex')),
    );
    expect(rows.map((row) => row.code)).toEqual(requests.map((_, n) => (n < 24 ? 'COUNT_INSUFFICIENT' : 'GRANTED')));
  });

  test('that breaks the contract is answered with the reason, and nothing of it is committed', async () => {
    const counting = createCounting({
      database,
      clock: new ManualClock(start),
      logger: createLogger('test', 'silent'),
    });
    const good = { cmid: cmidOf(1), raisesCount: true, threshold: 5, machineName: '', fingerprint: '' };
    const batch = toBatch('broken', [good]);
    const [first] = batch.requests;
    if (first === undefined) throw new Error('the batch is empty');
    const broken: readonly CountBatch[] = [
      { ...batch, requests: Array.from({ length: 257 }, () => first) },
      { ...batch, rules: [] },
      { ...batch, rules: [...batch.rules, ...batch.rules] },
      { ...batch, requests: [first, { ...first, cmid: new Uint8Array(15) }] },
      { ...batch, requests: [first, { ...first, previousCmid: new Uint8Array(1) }] },
      { ...batch, requests: [first, { ...first, machineClass: MachineClass.UNSPECIFIED }] },
      { ...batch, requests: [first, { ...first, threshold: 0 }] },
    ];
    for (const each of broken) {
      const [answer] = await collect(counting.count(only(each)));
      expect(answer?.failure).toMatch(/^(A batch|Request \d|The rules)/);
      expect(answer?.results).toEqual([]);
    }
    const { counts } = await counting.getCounts({ rules: batch.rules });
    expect(counts[0]?.machinesKnown).toBe(0);
  });

  test('is found whole by batches of others that run at the same time', async () => {
    const clock = new ManualClock(start);
    const batches = Array.from({ length: 40 }, (_, n) =>
      toBatch('concurrent', [{ cmid: cmidOf(n), raisesCount: true, threshold: 25, machineName: '', fingerprint: '' }]),
    );
    const answers = await Promise.all(
      batches.map(async (batch) => {
        const counting = createCounting({ database, clock, logger: createLogger('test', 'silent') });
        return (await collect(counting.count(only(batch))))[0]?.results[0];
      }),
    );
    expect(answers.map((answer) => answer?.count).sort((a = 0, b = 0) => a - b)).toEqual([
      ...Array.from({ length: 10 }, (_, n) => n + 1),
      ...Array.from({ length: 30 }, () => 10),
    ]);
    expect(answers.every((answer) => answer?.code === ResultCode.COUNT_INSUFFICIENT)).toBe(true);
  });
});

function toBatch(application: string, requests: readonly CountableRequest[]): CountBatch {
  return {
    batchId: 1,
    gatewayId: 'gateway-test',
    rules: [{ application, countCap: application === 'log-order' ? 50 : 10, countRetentionMinutes: retentionMinutes }],
    requests: requests.map((each) => toRequest(application, each)),
  };
}

function toRequest(application: string, each: CountableRequest): CountRequest {
  return {
    application,
    edition: 'an-edition',
    cmid: parseUuid(each.cmid) ?? new Uint8Array(),
    previousCmid: new Uint8Array(),
    machineClass: each.raisesCount ? MachineClass.PHYSICAL : MachineClass.VIRTUAL,
    machineName: each.machineName,
    fingerprint: Buffer.from(each.fingerprint, 'hex'),
    licenceStatus: 1,
    clientVersion: 'test/1',
    remoteAddress: '127.0.0.1',
    raisesCount: each.raisesCount,
    threshold: each.threshold,
    refusal: each.refusal === undefined ? ResultCode.UNSPECIFIED : ResultCode.PRODUCT_NOT_COVERED,
  };
}

async function* only<T>(value: T): AsyncIterable<T> {
  yield value;
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}
