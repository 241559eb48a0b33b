import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { migrationsIn } from '../testing/migrations.ts';
import { startPostgresql } from '../testing/postgresql-server.ts';
import type { Database, Parameter } from './database.ts';
import { openPgliteInMemory } from './pglite.ts';
import { openPostgresql } from './postgresql.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const engines = {
  pglite: async () => {
    const database = await openPgliteInMemory();
    return { database, stop: () => database.close() };
  },
  postgresql: async () => {
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

const uuid = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';

/** An expression, what it gives on every engine, and its parameter if it has one. */
type Value = [expression: string, expected: unknown, parameter?: Parameter];

const values: readonly Value[] = [
  ['9007199254740991::bigint', Number.MAX_SAFE_INTEGER],
  ['$1::bigint', -Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER],
  ['$1::integer', 7, 7],
  ['$1::float8', 1.5, 1.5],
  ['$1::boolean', true, true],
  ["'2026-11-24T12:00:00.123456Z'::timestamptz", Date.parse('2026-11-24T12:00:00.123Z')],
  ["'1969-12-31T23:59:59.5+05:30'::timestamptz", Date.parse('1969-12-31T18:29:59.500Z')],
  ['to_timestamp($1::float8 / 1000)', 1_795_521_600_123, 1_795_521_600_123],
  ["'\\x00ff5c27'::bytea", Uint8Array.of(0, 255, 0x5c, 0x27)],
  ['$1::bytea', Uint8Array.of(0, 255, 0x5c, 0x27), Uint8Array.of(0, 255, 0x5c, 0x27)],
  ['$1::bytea', Uint8Array.of(2, 3), Uint8Array.of(1, 2, 3, 4).subarray(1, 3)],
  ['$1::bytea', new Uint8Array(), new Uint8Array()],
  ['$1::uuid', uuid, uuid],
  ['$1::uuid', uuid, uuid.toUpperCase()],
  ['$1::json', { a: [1, null, 'ü'] }, '{"a": [1, null, "ü"]}'],
  ['$1::jsonb', [{ b: true }], '[{"b": true}]'],
  ['$1::text', 'ü\\\'"\n{},', 'ü\\\'"\n{},'],
  ['$1::text', '', ''],
  ['$1::text', null, null],
  ['$1::bigint', null, null],
  ['$1::bytea', null, null],
  ['$1::uuid', null, null],
  ['null::timestamptz', null],
  ['null::json', null],
  ['$1::bigint[]', [1, null, Number.MAX_SAFE_INTEGER], [1, null, Number.MAX_SAFE_INTEGER]],
  [
    'array[[1, 2], [3, 4]]::bigint[]',
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ['$1::integer[]', [], []],
  ['$1::boolean[]', [true, null, false], [true, null, false]],
  ['$1::float8[]', [1.5, null], [1.5, null]],
  ['$1::uuid[]', [uuid, null], [uuid, null]],
  ["array['2026-11-24T12:00:00Z', null]::timestamptz[]", [Date.parse('2026-11-24T12:00:00Z'), null]],
  ["'{}'::timestamptz[]", []],
];

const texts = fc.array(
  fc.oneof(
    fc.constantFrom(
      null,
      '',
      'NULL',
      'null',
      '"',
      "'",
      ',',
      '{',
      '}',
      '{}',
      '\\',
      '\\\\',
      '\\"',
      ' ',
      '\n',
      '\t',
      'a,b',
      '{"a","b"}',
    ),
    fc.string({ unit: fc.constantFrom('a', '"', '\\', ',', '{', '}', "'", ' ', 'ü', '€', '😀') }),
  ),
);

describe.each(Object.entries(engines))('a database on %s', (engine, open) => {
  let database: Database;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    ({ database, stop } = await open());
  });
  afterAll(() => stop());

  async function evaluate(expression: string, parameter?: Parameter): Promise<unknown> {
    const statement = { name: `test.${expression}`.slice(0, 60), text: `select ${expression} as value` };
    const [row] = await database.query<{ value: unknown }>(statement, parameter === undefined ? [] : [parameter]);
    return row?.value instanceof Uint8Array ? new Uint8Array(row.value) : row?.value;
  }

  test('says which engine it is', () => {
    expect(database.engine).toBe(engine);
  });

  test.each<Value>([...values])('gives %s as %j', async (expression, expected, parameter) => {
    expect(await evaluate(expression, parameter)).toStrictEqual(expected);
  });

  test('takes any texts and nulls in an array, and gives them back in their order', async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (list) => {
        expect(await evaluate('$1::text[]', list)).toEqual(list);
        const rows = await database.query(
          {
            name: 'test.unnest',
            text: 'select t.value from unnest($1::text[]) with ordinality as t (value, n) order by n',
          },
          [list],
        );
        expect(rows).toEqual(list.map((value) => ({ value })));
      }),
      { numRuns: 100 },
    );
  });

  test('commits each statement for itself, and a failed one changes nothing', async () => {
    await database.query({ name: 'test.create', text: 'create table entry (n integer primary key)' });
    const insert = { name: 'test.insert', text: 'insert into entry select unnest($1::integer[])' };
    await database.query(insert, [[1, 2]]);
    await expect(database.query(insert, [[3, 2]])).rejects.toMatchObject({ code: '23505' });
    expect(await database.query({ name: 'test.entries', text: 'select n from entry order by n' })).toEqual([
      { n: 1 },
      { n: 2 },
    ]);
  });

  test('applies each migration once, in the order of the names, and later ones when they come', async () => {
    const migrations = migrationsIn('first', {
      '0002_rows.sql': "insert into first.entry values ('0002'); insert into first.entry values ('again');",
      '0001_table.sql': 'create table first.entry (name text);',
    });
    expect(await database.migrate(migrations)).toEqual(['0001_table', '0002_rows']);
    expect(await database.migrate(migrations)).toEqual([]);
    writeFileSync(join(migrations.directory, '0003_more.sql'), "insert into first.entry values ('0003');");
    expect(await database.migrate(migrations)).toEqual(['0003_more']);
    expect(await database.migrate(migrations)).toEqual([]);
    expect(await database.query({ name: 'test.first', text: 'select name from first.entry' })).toEqual([
      { name: '0002' },
      { name: 'again' },
      { name: '0003' },
    ]);
  });

  test('keeps the migrations of two services apart, even under the same names', async () => {
    const one = migrationsIn('one', { '0001_table.sql': 'create table one.entry (n integer);' });
    const other = migrationsIn('other', { '0001_table.sql': 'create table other.entry (t text);' });
    expect(await database.migrate(one)).toEqual(['0001_table']);
    expect(await database.migrate(other)).toEqual(['0001_table']);
    expect(await database.migrate(one)).toEqual([]);
    const tables = await database.query({
      name: 'test.tables',
      text: `select table_schema || '.' || table_name as name from information_schema.tables
             where table_schema in ('one', 'other') order by 1`,
    });
    expect(tables.map((row) => (row as { name: string }).name)).toEqual([
      'one.entry',
      'one.schema_migration',
      'other.entry',
      'other.schema_migration',
    ]);
  });

  test('refuses a schema that a newer release has migrated', async () => {
    const newer = migrationsIn('newer', {
      '0001_table.sql': 'create table newer.entry (n integer);',
      '0002_from-the-future.sql': 'alter table newer.entry add m integer;',
    });
    await database.migrate(newer);
    const older = migrationsIn('newer', { '0001_table.sql': 'create table newer.entry (n integer);' });
    await expect(database.migrate(older)).rejects.toMatchObject({
      code: 'DATABASE_UNUSABLE',
      message: 'The schema newer was migrated by a newer release: 0002_from-the-future.',
    });
  });

  test('leaves a migration that fails unapplied as a whole, and applies it when it is corrected', async () => {
    const migrations = migrationsIn('mended', {
      '0001_table.sql': 'create table mended.entry (n integer);',
      '0002_rows.sql': 'insert into mended.entry values (1); insert into mended.nowhere values (2);',
    });
    await expect(database.migrate(migrations)).rejects.toThrow(/nowhere/);
    writeFileSync(join(migrations.directory, '0002_rows.sql'), 'insert into mended.entry values (1);');
    expect((await database.migrate(migrations)).at(-1)).toBe('0002_rows');
    expect(await database.query({ name: 'test.mended', text: 'select n from mended.entry' })).toEqual([{ n: 1 }]);
  });
});
