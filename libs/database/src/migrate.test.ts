import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startProcess } from '../testing/child-process.ts';
import { migrationsIn } from '../testing/migrations.ts';
import { type PostgresqlServer, startPostgresql } from '../testing/postgresql-server.ts';
import type { Database } from './database.ts';
import { runMigrations } from './migrate.ts';
import { openPgliteInMemory } from './pglite.ts';
import { openPostgresql } from './postgresql.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let server: PostgresqlServer;
let postgresql: Database;
let pglite: Database;

beforeAll(async () => {
  server = await startPostgresql();
  postgresql = await openPostgresql({ url: server.url });
  pglite = await openPgliteInMemory();
});
afterAll(async () => {
  await pglite?.close();
  await postgresql?.close();
  server?.stop();
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

const table = '0001_table.sql';
const index = '0002_index.sql';
const withoutTransaction = (schema: string, expression = 'n') => `-- Without a transaction.
-- An index for numbers; it is made while others write.
drop index concurrently if exists ${schema}.entry_n;
create index concurrently entry_n on ${schema}.entry (${expression});
`;

describe.each(['PGlite', 'PostgreSQL'])('a migration without a transaction on %s', (engine) => {
  const database = () => (engine === 'PGlite' ? pglite : postgresql);

  test('runs its statements one after the other, and once', async () => {
    const migrations = migrationsIn('alone', {
      [table]: 'create table alone.entry (n integer); insert into alone.entry values (1), (0);',
      [index]: withoutTransaction('alone'),
    });
    expect(await database().migrate(migrations)).toEqual(['0001_table', '0002_index']);
    expect(await database().migrate(migrations)).toEqual([]);
    expect(await indexes('alone')).toEqual([{ name: 'entry_n', valid: true }]);
  });

  test('that failed midway is run again from its beginning', async () => {
    const migrations = migrationsIn('again', {
      [table]: 'create table again.entry (n integer); insert into again.entry values (1), (0);',
      [index]: withoutTransaction('again', '(1 / n)'),
    });
    await expect(database().migrate(migrations)).rejects.toThrow(/division by zero/);
    // What PostgreSQL leaves behind of an index that could not be made.
    expect(await indexes('again')).toEqual([{ name: 'entry_n', valid: false }]);
    writeFileSync(join(migrations.directory, index), withoutTransaction('again'));
    expect(await database().migrate(migrations)).toEqual(['0002_index']);
    expect(await indexes('again')).toEqual([{ name: 'entry_n', valid: true }]);
  });

  test('leaves the settings of the session as they were', async () => {
    const settings = () =>
      database().query({
        name: 'test.settings',
        text: `select name, setting from pg_settings
               where name in ('lock_timeout', 'statement_timeout', 'search_path') order by name`,
      });
    const before = await settings();
    await database().migrate(
      migrationsIn('settings', {
        [table]: 'create table settings.entry (n integer);',
        [index]: withoutTransaction('settings'),
      }),
    );
    expect(await settings()).toEqual(before);
  });

  function indexes(schema: string) {
    return database().query(
      {
        name: 'test.indexes',
        text: `select relname::text as name, indisvalid as valid from pg_index join pg_class on oid = indexrelid
               where relnamespace = $1::text::regnamespace and relname = 'entry_n'`,
      },
      [schema],
    );
  }
});

test('an index is made while other processes wait for the migration, and none of them is in its way', async () => {
  const migrations = migrationsIn('waiting', {
    [table]: 'create table waiting.entry (n integer); insert into waiting.entry select generate_series(1, 200000);',
    [index]: withoutTransaction('waiting'),
  });
  const applied = await Promise.all([1, 2, 3, 4].map(() => postgresql.migrate(migrations)));
  expect(applied.toSorted((a, b) => b.length - a.length)).toEqual([['0001_table', '0002_index'], [], [], []]);
});

test('of five processes that start at once one migrates, and all go on', async () => {
  const migrations = migrationsIn('processes', {
    [table]: 'create table processes.entry (n integer);',
    '0002_rows.sql': 'insert into processes.entry values (1); select pg_sleep(0.2);',
  });
  const processes = [1, 2, 3, 4, 5].map(() =>
    startProcess('migrate-once.ts', server.url, migrations.schema, migrations.directory),
  );
  onTestFinished(async () => {
    for (const each of processes) await each.kill();
  });
  const lines = await Promise.all(processes.map((each) => each.nextLine()));
  expect(lines.toSorted()).toEqual(['[]', '[]', '[]', '[]', '["0001_table","0002_rows"]'].toSorted());
});

test('a table that somebody holds is tried again, and whoever uses it is not held up meanwhile', async () => {
  const migrations = migrationsIn('held', { [table]: 'create table held.entry (n integer);' });
  await postgresql.migrate(migrations);
  const reader = await connect();
  await reader.query('begin; select from held.entry');
  writeFileSync(join(migrations.directory, '0002_column.sql'), 'alter table held.entry add m integer;');
  const client = await connect();
  let refused = 0;
  const query = ((...parameters: Parameters<typeof client.query>) => {
    if (String(parameters[0]) === 'rollback') refused += 1;
    return client.query(...parameters);
  }) as typeof client.query;
  const migrating = runMigrations({ query }, migrations);
  let longestMs = 0;
  for (const endMs = performance.now() + 30_000; refused < 3 && performance.now() < endMs; ) {
    const startedMs = performance.now();
    await postgresql.query({ name: 'test.insert_held', text: 'insert into held.entry values (1)' });
    longestMs = Math.max(longestMs, performance.now() - startedMs);
  }
  expect(refused).toBeGreaterThanOrEqual(3);
  // The migration waits for 100 ms at a time.
  expect(longestMs).toBeLessThan(1_000);
  await reader.query('commit');
  expect(await migrating).toEqual(['0002_column']);
});

test('a table that is held for too long leaves the migration for later, with what to do about it', async () => {
  const migrations = migrationsIn('stuck', { [table]: 'create table stuck.entry (n integer);' });
  await postgresql.migrate(migrations);
  const reader = await connect();
  await reader.query('begin; select from stuck.entry');
  writeFileSync(
    join(migrations.directory, '0002_column.sql'),
    'create table stuck.other (n integer); alter table stuck.entry add m integer;',
  );
  const client = await connect();
  await expect(runMigrations(client, migrations, { giveUpAfterMs: 300 })).rejects.toMatchObject({
    code: 'DATABASE_UNUSABLE',
    message: 'The schema stuck cannot be migrated: another session holds a lock on one of its tables.',
    remedy: expect.stringContaining('pg_stat_activity'),
  });
  await reader.query('commit');
  // Nothing is left of the attempts, not even the lock of migrations.
  expect(await postgresql.migrate(migrations)).toEqual(['0002_column']);
});

test('a migration whose process dies is made by another one that waits', async () => {
  const migrations = migrationsIn('died', {
    [table]: 'create table died.entry (n integer);',
    '0002_long.sql':
      "insert into died.entry values (1); select pg_sleep(case when (select count(*) from pg_stat_activity where application_name = 'dies') > 0 then 60 else 0 end);",
  });
  const dying = new pg.Client({ connectionString: server.url, application_name: 'dies' });
  dying.on('error', () => undefined);
  await dying.connect();
  const failed = runMigrations(dying, migrations).catch((error: unknown) => error);
  const sleeping = () =>
    postgresql.query({
      name: 'test.sleeping',
      text: `select pid from pg_stat_activity where application_name = 'dies' and query like '%pg_sleep%' and state = 'active'`,
    });
  await expect.poll(sleeping, { timeout: 10_000 }).toHaveLength(1);
  const waiting = postgresql.migrate(migrations);
  await postgresql.query({
    name: 'test.end_dying',
    text: `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'dies'`,
  });
  expect(await failed).toMatchObject({ message: expect.stringContaining('terminating connection') });
  expect(await waiting).toEqual(['0002_long']);
});
