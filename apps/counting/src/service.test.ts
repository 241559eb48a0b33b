import type { CountBatch, CountedBatch, CountRequest } from '@muster/contracts/counting';
import { type Database, openPostgresql } from '@muster/database';
import { type PostgresqlServer, startPostgresql } from '@muster/database/testing';
import { AsyncQueue, createLogger, systemClock } from '@muster/service-kit';
import { parseUuid } from '@muster/wire-codec';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countingMigrations } from './migrations.ts';
import { createCounting, type DrainableCounting } from './service.ts';

const cannotCommit = 'The count cannot be committed at the moment.';

let server: PostgresqlServer;
let database: Database;

beforeAll(async () => {
  server = await startPostgresql();
  database = await openPostgresql({ url: server.url });
  await database.migrate(countingMigrations);
});
afterAll(async () => {
  await database.close();
  server.stop();
});

function countingOn(each: Database, onCommitted: () => void = () => undefined): DrainableCounting {
  return createCounting({ database: each, clock: systemClock, logger: createLogger('test', 'silent'), onCommitted });
}

function batchOf(batchId: number, machines: number): CountBatch {
  const request: Omit<CountRequest, 'cmid'> = {
    application: 'windows',
    edition: 'vista-business',
    previousCmid: new Uint8Array(),
    machineClass: 1,
    machineName: '',
    fingerprint: new Uint8Array(),
    licenceStatus: 1,
    clientVersion: 'test/1',
    remoteAddress: '127.0.0.1',
    raisesCount: true,
    threshold: 25,
    refusal: 0,
  };
  const cmidOf = (n: number) => parseUuid(`00000000-0000-4000-8000-${String(n).padStart(12, '0')}`) ?? new Uint8Array();
  return {
    batchId,
    gatewayId: 'gateway-test',
    rules: [{ application: 'windows', countCap: 50, countRetentionMinutes: 43_200 }],
    requests: Array.from({ length: machines }, (_, n) => ({ ...request, cmid: cmidOf(n) })),
  };
}

async function loggedRows(): Promise<number> {
  const text = 'select count(*) as rows from counting.activation_log';
  const [row] = await database.query<{ rows: number }>({ name: 'test.rows', text });
  return row?.rows ?? -1;
}

async function answersTo(each: Database, batches: readonly CountBatch[]): Promise<readonly CountedBatch[]> {
  const questions = new AsyncQueue<CountBatch>();
  for (const batch of batches) questions.push(batch);
  questions.end();
  const answers: CountedBatch[] = [];
  for await (const answer of countingOn(each).count(questions)) answers.push(answer);
  return answers;
}

test('an empty batch is answered when the database takes writes, and nothing is logged', async () => {
  const before = await loggedRows();
  expect(await answersTo(database, [batchOf(7, 0)])).toEqual([{ batchId: 7, results: [], failure: '' }]);
  expect(await loggedRows()).toBe(before);
});

test('an empty batch is answered with a failure when the database takes no writes, like a standby', async () => {
  const url = new URL(server.url);
  await database.query({ name: 'test.role', text: 'create role reader superuser login' });
  await database.query({ name: 'test.read_only', text: 'alter role reader set default_transaction_read_only = on' });
  url.username = 'reader';
  const standby = await openPostgresql({ url: url.href });
  const [probe, batch] = await answersTo(standby, [batchOf(1, 0), batchOf(2, 1)]);
  await standby.close();
  expect(probe).toEqual({ batchId: 1, results: [], failure: cannotCommit });
  expect(batch).toEqual({ batchId: 2, results: [], failure: cannotCommit });
});

test('an empty batch is answered with a failure when the database is away', async () => {
  const gone = await openPostgresql({ url: server.url });
  await gone.close();
  expect(await answersTo(gone, [batchOf(3, 0)])).toEqual([{ batchId: 3, results: [], failure: cannotCommit }]);
});

test('a drain answers the batch that is being counted, ends the stream, and counts no further batch', async () => {
  const before = await loggedRows();
  const questions = new AsyncQueue<CountBatch>();
  for (const batchId of [1, 2, 3]) questions.push(batchOf(batchId, 10));
  const counting = countingOn(database, () => counting.drain());
  const answers: CountedBatch[] = [];
  for await (const answer of counting.count(questions)) answers.push(answer);
  expect(answers).toMatchObject([{ batchId: 1, failure: '' }]);
  expect(await loggedRows()).toBe(before + 10);
});

test('a drain at any moment leaves no batch counted and unanswered, and none answered and not counted', async () => {
  for (let round = 0; round < 25; round += 1) {
    const before = await loggedRows();
    const questions = new AsyncQueue<CountBatch>();
    const counting = countingOn(database);
    let batchId = 0;
    const ask = () => questions.push(batchOf(++batchId, 5));
    ask();
    const answers: CountedBatch[] = [];
    for await (const answer of counting.count(questions)) {
      answers.push(answer);
      ask();
      // In this turn or another one, while the next batch is unread, or with the database.
      if (answers.length === 3) setTimeout(() => counting.drain(), (round % 5) * 0.5);
    }
    expect(answers.map((answer) => answer.batchId)).toEqual(answers.map((_, index) => index + 1));
    expect(answers.every(({ failure, results }) => failure === '' && results.length === 5)).toBe(true);
    expect(await loggedRows()).toBe(before + answers.length * 5);
  }
});

test('a stream that begins after the drain ends at once', async () => {
  const counting = countingOn(database);
  counting.drain();
  const questions = new AsyncQueue<CountBatch>();
  questions.push(batchOf(1, 1));
  const answers: CountedBatch[] = [];
  for await (const answer of counting.count(questions)) answers.push(answer);
  expect(answers).toEqual([]);
});
