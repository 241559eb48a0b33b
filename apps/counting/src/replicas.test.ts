import type { CountBatch, CountedBatch } from '@muster/contracts/counting';
import { type Database, openPostgresql } from '@muster/database';
import { type PostgresqlServer, startPostgresql } from '@muster/database/testing';
import type { CountableRequest } from '@muster/product-groups';
import { createLogger, ManualClock } from '@muster/service-kit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ask, batchOf, cmidOf } from '../test/batches.ts';
import { expectLogged, expectRecount } from '../test/recount.ts';
import { countingMigrations } from './migrations.ts';
import { createCounting } from './service.ts';

vi.setConfig({ testTimeout: 900_000, hookTimeout: 120_000 });

/** How much is tried; a long run (REFERENCES R5) asks for 10000 batches and 2000 histories. */
const batchesAtMost = Number(process.env.MUSTER_TEST_REPLICA_BATCHES ?? Number.POSITIVE_INFINITY);
const secondsAtMost = process.env.MUSTER_TEST_REPLICA_BATCHES === undefined ? 12 : 800;
const histories = Number(process.env.MUSTER_TEST_REPLICA_HISTORIES ?? 100);

const replicaCount = 4;
const start = Date.parse('2026-11-24T12:00:00Z');
const logger = createLogger('test', 'silent');

let server: PostgresqlServer;
let databases: readonly Database[];

beforeAll(async () => {
  server = await startPostgresql();
  const opened: Database[] = [];
  for (let n = 0; n < replicaCount; n += 1) opened.push(await openPostgresql({ url: server.url }));
  databases = opened;
  await one().migrate(countingMigrations);
});
afterAll(async () => {
  for (const database of databases ?? []) await database.close();
  server?.stop();
});

function one(): Database {
  const [database] = databases;
  if (database === undefined) throw new Error('no database is open');
  return database;
}

/** Replicas whose clocks differ by up to three seconds, as those of servers do. */
function replicas() {
  return databases.map((database, n) => {
    const clock = new ManualClock(start + n * 1_000);
    return { clock, counting: createCounting({ database, clock, logger }) };
  });
}

async function deadlocks(): Promise<number> {
  const [row] = await one().query<{ deadlocks: number }>({
    name: 'test.deadlocks',
    text: 'select deadlocks from pg_stat_database where datname = current_database()',
  });
  return row?.deadlocks ?? Number.NaN;
}

const request: fc.Arbitrary<CountableRequest> = fc
  .record({
    cmid: fc.nat(11).map(cmidOf),
    raisesCount: fc.boolean(),
    threshold: fc.constantFrom(1, 3, 5),
    machineName: fc.constantFrom('', 'PC-1', 'PC-2'),
    fingerprint: fc.constantFrom('', 'aa', 'bb'),
    refused: fc.nat(9).map((n) => n === 0),
  })
  .map(({ refused, ...rest }) => (refused ? { ...rest, refusal: 'PRODUCT_NOT_COVERED' as const } : rest));

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const step = fc.record({
  laterMs: fc.constantFrom(0, 1, minuteMs, 15 * dayMs, 30 * dayMs - 1, 30 * dayMs),
  requests: fc.array(request, { minLength: 1, maxLength: 8 }),
});
const history = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: replicaCount });

test('batches of four replicas on the same machines do not block each other, and equal one after the other', async () => {
  const application = 'together';
  const answers: CountedBatch[] = [];
  const perReplica = new Array<number>(replicaCount).fill(0);
  let sent = 0;
  const endAt = performance.now() + secondsAtMost * 1_000;
  await Promise.all(
    replicas().map(async ({ clock, counting }, replica) => {
      while (performance.now() < endAt && sent < batchesAtMost) {
        sent += 1;
        clock.advance(((sent * 7_919) % 40) * minuteMs);
        const answer = await ask(counting, batchOf(application, manyRequests(sent), `gateway-${replica}`));
        expect(answer.failure).toBe('');
        expect(answer.results).toHaveLength(128);
        answers.push(answer);
        perReplica[replica] = (perReplica[replica] ?? 0) + 1;
      }
    }),
  );
  expect(Math.min(...perReplica)).toBeGreaterThan(0);
  const log = await expectRecount(one(), application);
  expect(log).toHaveLength(answers.length * 128);
  expectLogged(log, answers);
  expect(log.filter(({ count }) => count > 0).length).toBeGreaterThan(0);
  expect(await deadlocks()).toBe(0);
  process.stdout.write(
    `${answers.length} batches of 128 by ${replicaCount} replicas (${perReplica.join(', ')}), 0 deadlocks\n`,
  );
});

test('whatever replicas are asked at the same time equals one order of it', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const application = `history-${run++}`;
      const answers: CountedBatch[] = [];
      const all = replicas();
      await Promise.all(
        steps.map(async (own, n) => {
          for (const { laterMs, requests } of own) {
            const replica = all[n];
            if (replica === undefined) throw new Error('there are fewer replicas than histories');
            replica.clock.advance(laterMs);
            const answer = await ask(replica.counting, batchOf(application, requests, `gateway-${n}`));
            expect(answer.failure).toBe('');
            answers.push(answer);
          }
        }),
      );
      const log = await expectRecount(one(), application);
      expect(log).toHaveLength(steps.flat().reduce((sum, { requests }) => sum + requests.length, 0));
      expectLogged(log, answers);
    }),
    { numRuns: histories },
  );
  expect(await deadlocks()).toBe(0);
});

test('a machine is not granted by two replicas below its threshold, and the one that reaches it is', async () => {
  const ones = (n: number): CountBatch =>
    batchOf('threshold', [{ cmid: cmidOf(n), raisesCount: true, threshold: 25, machineName: '', fingerprint: '' }]);
  const all = replicas();
  const answers = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const replica = all[n % replicaCount];
      if (replica === undefined) throw new Error('no replica');
      return ask(replica.counting, ones(n));
    }),
  );
  const log = await expectRecount(one(), 'threshold');
  expectLogged(log, answers);
  expect(log.map(({ count, code }) => `${count} ${code}`)).toEqual(
    Array.from({ length: 40 }, (_, n) => `${n + 1} ${n < 24 ? 'COUNT_INSUFFICIENT' : 'GRANTED'}`),
  );
});

/** 128 requests on 700 machines, in another order each time, so that batches meet on many of them. */
function manyRequests(seed: number): CountableRequest[] {
  return Array.from({ length: 128 }, (_, n) => {
    const machine = (seed * 131 + n * 577) % 700;
    return {
      cmid: cmidOf(machine),
      raisesCount: machine % 5 !== 0,
      threshold: machine % 3 === 0 ? 5 : 25,
      machineName: seed % 17 === 0 && n === 0 ? 'RENAMED' : `PC-${machine}`,
      fingerprint: '',
    };
  });
}
