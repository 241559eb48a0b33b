import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type PostgresqlServer, startPostgresql } from '../testing/postgresql-server.ts';
import type { Database } from './database.ts';
import { openPgliteInMemory } from './pglite.ts';
import { openPostgresql } from './postgresql.ts';
import { type CarriedTable, holdTables, insertRows, readColumns, readRows } from './table-rows.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const engines = {
  pglite: async () => {
    const database = await openPgliteInMemory();
    return { database, stop: () => database.close() };
  },
  postgresql: async () => {
    databases += 1;
    const name = `test_${databases}`;
    const first = await openPostgresql({ url: server.url });
    await first.query({ name: 'test.database', text: `create database ${name}` });
    await first.close();
    const url = new URL(server.url);
    url.pathname = name;
    const database = await openPostgresql({ url: url.href });
    return { database, stop: () => database.close() };
  },
};

let server: PostgresqlServer;
let databases = 0;

beforeAll(async () => {
  server = await startPostgresql();
});
afterAll(() => server.stop());

const numbers = { name: 'test.numbers', text: 'select n from number order by n' };
const add = { name: 'test.add', text: 'insert into number select unnest($1::integer[])' };

describe.each(Object.entries(engines))('several statements as one on %s', (_, open) => {
  let database: Database;
  let stop: () => Promise<void>;
  const numbersNow = async () => (await database.query<{ n: number }>(numbers)).map(({ n }) => n);

  beforeAll(async () => {
    ({ database, stop } = await open());
    await database.query({ name: 'test.number', text: 'create table number (n integer primary key)' });
    await database.query(add, [[1, 2, 3, 4, 5]]);
  });
  afterAll(() => stop());

  test('a snapshot reads pages of no more rows than asked for, and every row once', async () => {
    const pages = await database.readSnapshot(async (snapshot) => {
      const read: number[][] = [];
      for await (const page of snapshot.pages<{ n: number }>(numbers, 2)) read.push(page.map(({ n }) => n));
      return read;
    });
    expect(pages).toEqual([[1, 2], [3, 4], [5]]);
  });

  test('a snapshot reads no page where there is no row, and two statements one after the other', async () => {
    const none = { name: 'test.none', text: 'select n from number where n > 100' };
    await database.readSnapshot(async (snapshot) => {
      for await (const page of snapshot.pages(none, 2)) expect.unreachable(`a page of ${page.length} rows`);
      for await (const page of snapshot.pages(numbers, 5)) expect(page).toHaveLength(5);
    });
  });

  test('a snapshot does not write', async () => {
    await expect(database.readSnapshot((snapshot) => snapshot.query(add, [[6]]))).rejects.toMatchObject({
      code: '25006',
    });
    expect(await numbersNow()).toEqual([1, 2, 3, 4, 5]);
  });

  test('a reader that gives up in the middle of a page gets its own error, and the database goes on', async () => {
    const reading = database.readSnapshot(async (snapshot) => {
      for await (const _page of snapshot.pages(numbers, 1)) throw new Error('enough');
    });
    await expect(reading).rejects.toThrow('enough');
    expect(await numbersNow()).toEqual([1, 2, 3, 4, 5]);
  });

  test('a transaction commits everything, and gives what the work gives', async () => {
    const given = await database.transaction(async (session) => {
      await session.query(add, [[10]]);
      await session.query(add, [[11]]);
      return 'done';
    });
    expect(given).toBe('done');
    expect(await numbersNow()).toEqual([1, 2, 3, 4, 5, 10, 11]);
  });

  test('a transaction that fails changes nothing, also when the work takes no notice of the failure', async () => {
    const before = await numbersNow();
    const thrown = database.transaction(async (session) => {
      await session.query(add, [[20]]);
      throw new Error('changed my mind');
    });
    await expect(thrown).rejects.toThrow('changed my mind');
    const ignored = database.transaction(async (session) => {
      await session.query(add, [[20]]);
      await session.query(add, [[20]]).catch(() => undefined);
    });
    await expect(ignored).rejects.toThrow();
    expect(await numbersNow()).toEqual(before);
  });
});

test('a snapshot on PostgreSQL is of one moment, and others write on meanwhile', async () => {
  const { database, stop } = await engines.postgresql();
  try {
    await database.query({ name: 'test.number', text: 'create table number (n integer primary key)' });
    await database.query(add, [[1, 2, 3]]);
    const seen = await database.readSnapshot(async (snapshot) => {
      const pages: number[] = [];
      for await (const page of snapshot.pages<{ n: number }>(numbers, 1)) {
        pages.push(...page.map(({ n }) => n));
        await database.query(add, [[100 + pages.length]]);
      }
      const later = await snapshot.query<{ n: number }>(numbers);
      return { pages, later: later.map(({ n }) => n) };
    });
    expect(seen).toEqual({ pages: [1, 2, 3], later: [1, 2, 3] });
    expect(await database.query(numbers)).toHaveLength(6);
  } finally {
    await stop();
  }
});

test('a transaction whose session is ended by the server changes nothing and says UNAVAILABLE', async () => {
  const { database, stop } = await engines.postgresql();
  try {
    await database.query({ name: 'test.number', text: 'create table number (n integer primary key)' });
    const writing = database.transaction(async (session) => {
      await session.query(add, [[1]]);
      const [own] = await session.query<{ pid: number }>({ name: 'test.pid', text: 'select pg_backend_pid() as pid' });
      await database.query({ name: 'test.end', text: 'select pg_terminate_backend($1::integer, 5000)' }, [
        own?.pid ?? 0,
      ]);
      await session.query(add, [[2]]);
    });
    await expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await database.query(numbers)).toEqual([]);
  } finally {
    await stop();
  }
});

test('rows are carried from one engine to the other without a loss', async () => {
  const [from, to] = [await engines.pglite(), await engines.postgresql()];
  try {
    const table: CarriedTable = { name: 'carried', orderBy: 'id' };
    const definition = {
      name: 'test.carried',
      text: `create table carried (
               id bigint generated always as identity primary key, gone integer, "strange ""name" text, seen timestamptz,
               bytes bytea, number bigint, known boolean, cmid uuid, twice bigint generated always as (number / 2) stored)`,
    };
    const dropped = { name: 'test.dropped', text: 'alter table carried drop column gone' };
    for (const { database } of [from, to]) {
      await database.query(definition);
      await database.query(dropped);
    }
    await from.database.query({
      name: 'test.fill',
      text: `insert into carried (id, "strange ""name", seen, bytes, number, known, cmid) overriding system value values
             (9, E'\\u00fc \\\\ " \\n {}', '2026-11-24T12:00:00.123456+05:30', '\\x00ff5c', 9223372036854775807, true,
              '6ba7b810-9dad-41d1-80b4-00c04fd430c8'),
             (7, null, 'infinity', '', -9223372036854775808, null, null),
             (8, '', '0044-03-15 BC', null, 0, false, null),
             (6, 'NULL', '294276-12-31T23:59:59.999999Z', null, null, null, null)`,
    });
    const carried = await from.database.readSnapshot(async (snapshot) => {
      await holdTables(snapshot, [table]);
      const columns = await readColumns(snapshot, table);
      const rows: string[] = [];
      for await (const page of readRows(snapshot, table, columns)) rows.push(...page);
      return { columns, rows };
    });
    expect(carried.columns).toEqual(['id', 'strange "name', 'seen', 'bytes', 'number', 'known', 'cmid']);
    expect(carried.rows.map((row) => JSON.parse(row).id)).toEqual([6, 7, 8, 9]);
    await to.database.transaction((session) => insertRows(session, table, carried.columns, carried.rows));
    const texts = {
      name: 'test.texts',
      text: `select id::text, "strange ""name", (seen at time zone 'utc')::text as seen, encode(bytes, 'hex') as bytes,
                    number::text, known, cmid, twice::text from carried order by id`,
    };
    expect(await to.database.query(texts)).toEqual(await from.database.query(texts));
  } finally {
    await from.stop();
    await to.stop();
  }
});
