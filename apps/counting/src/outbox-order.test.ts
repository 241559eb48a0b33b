import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { cmidOf } from '../test/batches.ts';
import { distinctIds, RelaySite, type TestRelay } from '../test/relay-site.ts';

/** How much is tried; a long run (REFERENCES R6) asks for a million rows. */
const rowsWanted = Number(process.env.MUSTER_TEST_RELAY_ROWS ?? 15_000);
const kills = 20;
const writers = 4;
const batchRows = 64;

let site: RelaySite;

beforeAll(async () => {
  site = await RelaySite.start();
});
afterAll(() => site.stop());

/** A repeatable source of numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A batch in a transaction of its own: counted at once, committed or rolled back later. */
async function writeBatch(client: pg.Client, random: () => number, delayMs: number, rollsBack: boolean): Promise<void> {
  const of = <T>(value: T | ((n: number) => T)) =>
    Array.from({ length: batchRows }, (_, n) => (value instanceof Function ? value(n) : value));
  await client.query('begin');
  await client.query(
    `select from counting.count_batch(
       now(), 'gateway', $1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $6::text[], $7::text[],
       $8::text[], $9::text[], $10::boolean[], $11::integer[], $6::text[], '{an-application}', '{50}', '{43200}')`,
    [
      of('an-application'),
      of('an-edition'),
      of(() => cmidOf(Math.floor(random() * 200))),
      of(null),
      of('physical'),
      of(''),
      of('licensed'),
      of('test/1'),
      of('127.0.0.1'),
      of(true),
      of(5),
    ],
  );
  await client.query('select pg_sleep($1)', [delayMs / 1000]);
  await client.query(rollsBack ? 'rollback' : 'commit');
}

test('late commits, rollbacks and killed relays lose no event and put none of a machine in the wrong order', async () => {
  const random = randomFrom(20_261_124);
  let relay: TestRelay = await site.openRelay('counting-0');
  await site.relays('counting-0');
  let written = 0;
  let rolledBack = 0;
  const writing = Promise.all(
    Array.from({ length: writers }, async () => {
      const client = new pg.Client({ connectionString: site.postgresql.url });
      await client.connect();
      while (written < rowsWanted) {
        const rollsBack = random() < 0.1;
        // Most commit at once; one in ten keeps the others waiting.
        await writeBatch(client, random, random() < 0.1 ? 300 * random() : 0, rollsBack);
        if (rollsBack) rolledBack += batchRows;
        else written += batchRows;
      }
      await client.end();
    }),
  );
  for (let kill = 1; kill <= kills; kill += 1) {
    const { publishedId } = await site.administration.getOutbox({});
    await vi.waitUntil(
      async () => {
        const outbox = await site.administration.getOutbox({});
        return outbox.publishedId > publishedId || (written >= rowsWanted && outbox.lag === 0);
      },
      { timeout: 20_000, interval: 5 },
    );
    await relay.kill();
    // The time of the lease goes by.
    await site.database.query({ name: 'test.expire', text: 'update counting.relay_lease set expires_at = now()' });
    relay = await site.openRelay(`counting-${kill}`);
    await site.relays(`counting-${kill}`);
  }
  await writing;
  await site.published();

  const logged = await site.logged();
  expect(logged).toHaveLength(written);
  expect(rolledBack).toBeGreaterThan(0);
  const events = await site.streamed();
  expect(new Set(distinctIds(events))).toEqual(new Set(logged));
  // Stronger than the order of each machine: that of all.
  expect(distinctIds(events)).toEqual(logged);
}, 300_000);

test('a transaction that commits 300 ms late holds its place in the order', async () => {
  await site.openRelay('counting-late').then(() => site.published());
  const before = (await site.logged()).length;
  const clients = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const client = new pg.Client({ connectionString: site.postgresql.url });
      await client.connect();
      return client;
    }),
  );
  const [late, ...others] = clients as [pg.Client, ...pg.Client[]];
  const random = randomFrom(7);
  const lateBatch = writeBatch(late, random, 300, false);
  await Promise.all(others.map((client) => writeBatch(client, random, 0, false)));
  await lateBatch;
  await site.published();
  for (const client of clients) await client.end();
  const logged = await site.logged();
  expect(logged).toHaveLength(before + 3 * batchRows);
  expect(distinctIds(await site.streamed())).toEqual(logged);
}, 120_000);
