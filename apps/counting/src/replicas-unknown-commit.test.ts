import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type Database, openPostgresql } from '@muster/database';
import { type PostgresqlServer, startPostgresql } from '@muster/database/testing';
import { createLogger, ManualClock } from '@muster/service-kit';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { ask, batchOf, cmidOf } from '../test/batches.ts';
import { expectLogged, expectRecount } from '../test/recount.ts';
import { countingMigrations } from './migrations.ts';
import { createCounting } from './service.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

/** REFERENCES R4 asks for 200 in CI and 5,000 in a long run. */
const rounds = Number(process.env.MUSTER_TEST_UNKNOWN_COMMITS ?? 200);
const start = Date.parse('2026-11-24T12:00:00Z');
const logger = createLogger('test', 'silent');

let server: PostgresqlServer;
let direct: Database;

beforeAll(async () => {
  server = await startPostgresql();
  direct = await openPostgresql({ url: server.url });
  await direct.migrate(countingMigrations);
});
afterAll(async () => {
  await direct?.close();
  server?.stop();
});

/**
 * A proxy before PostgreSQL. Once told to, it passes on what the client sends, waits for the server's answer, throws it
 * away and cuts both connections: the server has committed, and the client cannot know.
 */
async function startProxy(): Promise<{ readonly url: string; cutNextAnswer(): void; readonly cuts: number }> {
  const target = new URL(server.url);
  const sockets = new Set<Socket>();
  let cutNext = false;
  let cuts = 0;
  const proxy = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    let hasAsked = false;
    client.on('data', (bytes) => {
      hasAsked = cutNext;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (!cutNext || !hasAsked) {
        client.write(bytes);
        return;
      }
      cutNext = false;
      cuts += 1;
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const url = new URL(server.url);
  url.port = String((proxy.address() as AddressInfo).port);
  return {
    url: url.href,
    cutNextAnswer() {
      cutNext = true;
    },
    get cuts() {
      return cuts;
    },
  };
}

test('a batch whose commit nobody heard of is counted once when it is asked again, and the log shows both asks', async () => {
  const application = 'unknown-commit';
  const proxy = await startProxy();
  const database = await openPostgresql({ url: proxy.url, connections: 1 });
  onTestFinished(() => database.close());
  const clock = new ManualClock(start);
  const counting = createCounting({ database, clock, logger });
  const answers = [];
  const sizes = [];
  for (let round = 0; round < rounds; round += 1) {
    // A connection is there already, so that the answer that is cut is the batch's own and not that of a greeting.
    await database.query({ name: 'test.one', text: 'select 1' });
    const size = 1 + (round % 16);
    const batch = batchOf(
      application,
      Array.from({ length: size }, (_, n) => ({
        cmid: cmidOf(round * 16 + n),
        raisesCount: true,
        threshold: 25,
        machineName: `PC-${round}-${n}`,
        fingerprint: '',
      })),
    );
    proxy.cutNextAnswer();
    const unknown = await ask(counting, batch);
    expect(unknown.failure).toBe('The count cannot be committed at the moment.');
    clock.advance(1_000);
    const answer = await ask(counting, batch);
    expect(answer.failure).toBe('');
    answers.push(answer);
    sizes.push(size);
  }
  expect(proxy.cuts).toBe(rounds);
  const log = await expectRecount(direct, application);
  expectLogged(log, answers);
  // Each batch stands in the log twice, the first time as what nobody heard; the second ask raises no count.
  let place = 0;
  for (const size of sizes) {
    const [first, second] = [log.slice(place, place + size), log.slice(place + size, place + 2 * size)];
    expect(second.map(({ cmid }) => cmid)).toEqual(first.map(({ cmid }) => cmid));
    expect(first.every((row) => row.first_seen)).toBe(true);
    expect(second.some((row) => row.first_seen || row.cloned)).toBe(false);
    expect(new Set(second.map(({ count }) => count))).toEqual(new Set([first.at(-1)?.count]));
    place += 2 * size;
  }
  expect(log).toHaveLength(place);
  process.stdout.write(`${rounds} unknown commits, each counted once\n`);
});
