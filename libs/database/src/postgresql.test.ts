import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { migrationsIn } from '../testing/migrations.ts';
import { type PostgresqlServer, startPostgresql } from '../testing/postgresql-server.ts';
import type { Database } from './database.ts';
import { openDatabase } from './open-database.ts';
import { openPostgresql } from './postgresql.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let server: PostgresqlServer;

beforeAll(async () => {
  server = await startPostgresql();
});
afterAll(() => stopServer());

let stopped = false;

/** Stops the server once: the last test does it, or whatever ends before. */
function stopServer(): void {
  if (!stopped) server.stop();
  stopped = true;
}

/** A proxy before the server that can fall silent: it then swallows what it gets on the connections that it has. */
async function startProxy(): Promise<{ readonly url: string; fallSilent(): void }> {
  const target = new URL(server.url);
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
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
    fallSilent() {
      for (const socket of sockets) socket.unpipe().resume();
    },
  };
}

async function open(): Promise<Database> {
  const database = await openDatabase(server.url);
  onTestFinished(() => database.close());
  return database;
}

test('a server that falls silent without closing is UNAVAILABLE, and a new connection serves the next query', async () => {
  const proxy = await startProxy();
  const database = await openPostgresql({ url: proxy.url, connections: 1 });
  onTestFinished(() => database.close());
  const one = { name: 'test.one', text: 'select 1 as n' };
  expect(await database.query(one)).toEqual([{ n: 1 }]);
  proxy.fallSilent();
  await expect(database.query(one)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await database.query(one)).toEqual([{ n: 1 }]);
});

test('every session has limits, and a commit waits for the disk', async () => {
  const database = await open();
  const settings = await database.query(
    {
      name: 'test.settings',
      text: `select name, current_setting(name) as value from unnest($1::text[]) as name order by name`,
    },
    [['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'synchronous_commit']],
  );
  expect(settings).toEqual([
    { name: 'idle_in_transaction_session_timeout', value: '5s' },
    { name: 'lock_timeout', value: '1s' },
    { name: 'statement_timeout', value: '1500ms' },
    { name: 'synchronous_commit', value: 'on' },
  ]);
});

test('of two processes that migrate at the same time one applies, the other waits, and both go on', async () => {
  const migrations = migrationsIn('together', {
    '0001_table.sql': 'create table together.entry (n integer);',
    '0002_rows.sql': 'insert into together.entry values (1); select pg_sleep(0.2);',
  });
  const databases = [await open(), await open(), await open()];
  const applied = await Promise.all(databases.map((database) => database.migrate(migrations)));
  expect(applied.map((names) => names.length).sort()).toEqual([0, 0, 2]);
  for (const database of databases) {
    expect(await database.query({ name: 'test.entries', text: 'select n from together.entry' })).toEqual([{ n: 1 }]);
  }
});

test.each([
  ['a port on which nothing listens', 'postgres://muster@127.0.0.1:1/postgres', /ECONNREFUSED 127\.0\.0\.1:1/],
  ['a name that leads nowhere', 'postgres://muster@nowhere.invalid/postgres', /nowhere\.invalid/],
  ['an address that is none', 'postgres://muster@127.0.0.1:99999/postgres', /Invalid URL/],
])('%s is refused in one clear sentence', async (_, url, reason) => {
  const refusal = await openPostgresql({ url }).catch((error) => error);
  expect(refusal).toMatchObject({
    code: 'DATABASE_UNUSABLE',
    message: expect.stringMatching(/^PostgreSQL cannot be used: [^\n]*[^.]\.$/),
    remedy: expect.stringContaining('database URL'),
  });
  expect(refusal.message).toMatch(reason);
});

test('a database that the server does not have is refused by its name', async () => {
  const url = server.url.replace(/postgres$/, 'no-such-database');
  await expect(openPostgresql({ url })).rejects.toMatchObject({
    code: 'DATABASE_UNUSABLE',
    message: 'PostgreSQL cannot be used: database "no-such-database" does not exist.',
  });
});

test('a server that may forget what it committed is refused', async () => {
  const database = await openPostgresql({ url: server.url });
  await database.query({ name: 'test.off', text: 'alter system set full_page_writes = off' });
  await database.query({ name: 'test.reload', text: 'select pg_reload_conf()' });
  onTestFinished(async () => {
    await database.query({ name: 'test.on', text: 'alter system reset full_page_writes' });
    await database.query({ name: 'test.reload', text: 'select pg_reload_conf()' });
    await expect.poll(refusal, { timeout: 10_000 }).toBeUndefined();
    await database.close();
  });
  const refusal = () =>
    openPostgresql({ url: server.url }).then(
      (opened) => opened.close(),
      (error) => error,
    );
  await expect.poll(refusal, { timeout: 10_000 }).toMatchObject({
    code: 'DATABASE_UNUSABLE',
    message: expect.stringContaining('full_page_writes=off'),
  });
});

test('a connection that dies while nobody uses it is replaced', async () => {
  const [database, other] = [await openPostgresql({ url: server.url, connections: 1 }), await open()];
  onTestFinished(() => database.close());
  const pid = { name: 'test.pid', text: 'select pg_backend_pid() as pid' };
  const [before] = await database.query<{ pid: number }>(pid);
  await other.query({ name: 'test.terminate', text: 'select pg_terminate_backend($1::integer)' }, [before?.pid ?? 0]);
  const answer = () =>
    database.query<{ pid: number }>(pid).then(
      ([row]) => row?.pid,
      () => before?.pid,
    );
  await expect.poll(answer, { timeout: 10_000 }).not.toBe(before?.pid);
});

test('while the server is away each call says UNAVAILABLE, and a closed database fails', async () => {
  const database = await openPostgresql({ url: server.url });
  stopServer();
  const one = { name: 'test.one', text: 'select 1 as n' };
  await expect(database.query(one)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(database.query(one)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/^PostgreSQL cannot be reached: .*ECONNREFUSED.*[^.]\.$/),
  });
  await expect(database.migrate(migrationsIn('away', {}))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await database.close();
  await expect(database.query(one)).rejects.toThrow();
});
