import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CountedBatch } from '@muster/contracts/counting';
import type { Database, Migrations } from '@muster/database';
import { createLogger, ManualClock } from '@muster/service-kit';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ask, batchOf, cmidOf } from '../test/batches.ts';
import { engines, openPostgresqlForTest } from '../test/engines.ts';
import { expectLogged, readLog } from '../test/recount.ts';
import { LogKeeper } from './log-keeper.ts';
import { startOfMonth } from './log-months.ts';
import { countingMigrations } from './migrations.ts';
import { createCounting } from './service.ts';
import { nextPageStatement } from './statements.ts';

vi.setConfig({ testTimeout: 900_000, hookTimeout: 120_000 });

/** Rows of the log and machines that are migrated; a long run (REFERENCES R16) asks for 2000000. */
const tableRows = Number(process.env.MUSTER_TEST_MIGRATED_ROWS ?? 200_000);
const longestWaitMs = 1_000;
const logger = createLogger('test', 'silent');
const files = readdirSync(countingMigrations.directory).sort();
const filesBefore = ['0001_machines-and-activation-log.sql', '0002_count-batch.sql'];
const steps = files.filter((file) => !filesBefore.includes(file));

/** The migrations up to some release: a directory to which more are added. */
function migrationsOf(names: readonly string[]): Migrations & { add(name: string): void } {
  const directory = mkdtempSync(join(tmpdir(), 'muster-migrations-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const add = (name: string) => copyFileSync(join(countingMigrations.directory, name), join(directory, name));
  for (const name of names) add(name);
  return { schema: 'counting', directory, add };
}

/** What the release before the months of the log reads: its relay, and the number that it has still to publish. */
const oldRelay = {
  name: 'test.old_log_after',
  text: `
    select coalesce(json_agg(page order by id), '[]') as page
    from (select id, activation_id, occurred_at, code from counting.activation_log
          where id > $1::bigint order by id limit $2::integer) as page`,
};
const oldLag = {
  name: 'test.old_lag',
  text: `
    select count(*) as lag from counting.activation_log
    where id > coalesce((select last_id from counting.outbox_cursor where consumer = $1::text), 0)`,
};
const oldCursor = {
  name: 'test.old_save_cursor',
  text: `
    insert into counting.outbox_cursor (consumer, last_id) values ($1::text, $2::bigint)
    on conflict (consumer) do update set last_id = excluded.last_id`,
};
const lockWaits = {
  name: 'test.lock_waits',
  text: `
    select max(extract(epoch from clock_timestamp() - waitstart) * 1000)::float8 as ms
    from pg_locks
    where locktype = 'relation' and not granted and mode in ('AccessShareLock', 'RowExclusiveLock')`,
};
const oldMachines = {
  name: 'test.old_machines',
  text: `
    select application, cmid, edition, requests from counting.machine
    where (application, cmid) > ($1::text, $2::uuid) order by application, cmid limit 500`,
};

/** A site that an earlier release has filled. */
async function fill(database: Database, rows: number): Promise<void> {
  await database.transaction(async (session) => {
    await session.query({
      name: 'test.machines',
      text: `
        insert into counting.machine
        select 'windows', ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, 'an-edition', 'physical',
               'PC-' || n, '', true, now() - interval '90 days', now() - n * interval '1 second', 3, 'GRANTED',
               case when n % 1000 = 0 then now() end
        from generate_series(1, ${rows}) as n`,
    });
    await session.query({
      name: 'test.log',
      text: `
        insert into counting.activation_log
          (activation_id, occurred_at, gateway_id, remote_address, application, edition, cmid, machine_class,
           machine_name, fingerprint, licence_status, client_version, code, count, threshold, first_seen, cloned)
        select gen_random_uuid(), now() - (${rows} - n) * interval '30 seconds', 'gateway', '192.0.2.1', 'windows',
               'an-edition', ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, 'physical', 'PC-' || n, '',
               'unlicensed', 'test/1', 'GRANTED', 50, 25, true, false
        from generate_series(1, ${rows}) as n`,
    });
    await session.query(oldCursor, ['bus', rows]);
  });
}

describe('the migration to a log by month', () => {
  test('lets the release before it count, publish and list meanwhile, and keeps every row', async () => {
    const opened = await openPostgresqlForTest();
    onTestFinished(() => opened.stop());
    const { database } = opened;
    const migrations = migrationsOf(filesBefore);
    await database.migrate(migrations);
    await fill(database, tableRows);
    const filled = await digest(database);

    const answers: CountedBatch[] = [];
    const published: number[] = [];
    const waits = new Map<string, number>();
    let done = false;
    let everythingIsCounted = false;
    const timed = async <Result>(what: string, work: () => Promise<Result>): Promise<Result> => {
      const startedMs = performance.now();
      const result = await work();
      waits.set(what, Math.max(waits.get(what) ?? 0, performance.now() - startedMs));
      return result;
    };
    /** A gateway's batches, by a replica of the release before. */
    const count = async (replica: number) => {
      const counting = createCounting({
        database: await opened.another(),
        clock: { nowMs: Date.now } as never,
        logger,
      });
      for (let n = 0; !done; n += 1) {
        const requests = Array.from({ length: 32 }, (_, k) => ({
          cmid: cmidOf((n * 17 + k * 31 + replica) % 500),
          raisesCount: true,
          threshold: 5,
          machineName: '',
          fingerprint: '',
        }));
        const answer = await timed('batch', () => ask(counting, batchOf('windows', requests)));
        expect(answer.failure).toBe('');
        answers.push(answer);
      }
    };
    const relay = async () => {
      const own = await opened.another();
      let lastId = tableRows;
      for (;;) {
        const isLast = everythingIsCounted;
        const [answer] = await timed('relay', () => own.query<{ page: { id: number }[] }>(oldRelay, [lastId, 512]));
        const page = answer?.page ?? [];
        const last = page.at(-1);
        if (last === undefined && isLast) return;
        if (last === undefined) continue;
        published.push(...page.map(({ id }) => id));
        lastId = last.id;
        await timed('cursor', () => own.query(oldCursor, ['bus', lastId]));
        await timed('lag', () => own.query(oldLag, ['bus']));
        await timed('machines', () => own.query(oldMachines, ['windows', '00000000-0000-4000-9000-000000000000']));
      }
    };
    const counted = Promise.all([count(0), count(1)]).then(() => {
      everythingIsCounted = true;
    });
    /** How long others wait for a table that the migration holds, as the server says. */
    const watchLocks = async () => {
      const own = await opened.another();
      while (!done) {
        const [row] = await own.query<{ ms: number | null }>(lockWaits);
        waits.set('lock of a table', Math.max(waits.get('lock of a table') ?? 0, row?.ms ?? 0));
      }
    };
    const running = Promise.all([counted, relay(), watchLocks()]);
    running.catch(() => undefined);
    onTestFinished(() => {
      done = true;
    });
    const others = async () => {
      const goal = answers.length + 20;
      await Promise.race([running, expect.poll(() => answers.length, { timeout: 30_000 }).toBeGreaterThan(goal)]);
    };

    await others();
    const figures = () => [...waits].map(([what, waitMs]) => `${what} ${Math.round(waitMs)} ms`).join(', ');
    const without = figures();
    waits.clear();
    const jumped = createCounting({ database, clock: new ManualClock(Date.parse('2038-01-19T03:14:08Z')), logger });
    const fromTheFuture: CountedBatch[] = [];
    const durations: string[] = [];
    for (const step of steps) {
      // A clock that jumps, before and between the steps, hinders nothing.
      fromTheFuture.push(
        await ask(
          jumped,
          batchOf('windows', [{ cmid: cmidOf(1), raisesCount: true, threshold: 5, machineName: '', fingerprint: '' }]),
        ),
      );
      migrations.add(step);
      const startedMs = performance.now();
      expect(await database.migrate(migrations)).toEqual([step.replace('.sql', '')]);
      durations.push(`${step.slice(0, 6)} ${Math.round(performance.now() - startedMs)} ms`);
      await others();
    }
    done = true;
    await running;

    expect(fromTheFuture.map(({ failure }) => failure)).toEqual(steps.map(() => ''));
    answers.push(...fromTheFuture);
    const log = await readLog(database, 'windows', tableRows);
    expect(log).toHaveLength(answers.reduce((sum, { results }) => sum + results.length, 0));
    expectLogged(log, answers);
    expect(published).toEqual(log.map(({ id }) => id));
    expect(await digest(database)).toEqual(filled);
    for (const [what, waitMs] of waits) expect(waitMs, what).toBeLessThan(longestWaitMs);
    process.stdout.write(
      `${tableRows} rows migrated (${durations.join(', ')})\n` +
        `longest of the others: ${figures()}\nand before it: ${without}\n`,
    );

    const places = await database.transaction((session) =>
      session.query<{ name: string }>({
        name: 'test.places',
        text: 'select distinct tableoid::regclass::text as name from counting.activation_log order by 1',
      }),
    );
    const [bound, later] = places;
    expect(bound?.name).toMatch(/^counting\.activation_log_before_\d{4}_\d\d$/);
    expect(later).toMatchObject({ name: 'counting.activation_log_default' });
    expect(places).toHaveLength(2);
    await new LogKeeper({ database, clock: new ManualClock(Date.now()), logger }).keep();
    expect(await readLog(database, 'windows', tableRows)).toEqual(log);
    expect(await digest(database)).toEqual(filled);
    await expectTimes(database);
  });

  test('is made by one of five replicas that start at once, on an empty schema and on that of the release before', async () => {
    const opened = await openPostgresqlForTest();
    onTestFinished(() => opened.stop());
    const replicas: Database[] = [];
    for (let n = 0; n < 5; n += 1) replicas.push(await opened.another());
    const migrateAll = (migrations: Migrations) => Promise.all(replicas.map((each) => each.migrate(migrations)));
    const names = (list: readonly string[]) => list.map((file) => file.replace('.sql', ''));
    const sorted = (applied: readonly (readonly string[])[]) => applied.toSorted((a, b) => b.length - a.length);

    expect(sorted(await migrateAll(migrationsOf(filesBefore)))).toEqual([names(filesBefore), [], [], [], []]);
    await fill(opened.database, 20_000);
    expect(sorted(await migrateAll(countingMigrations))).toEqual([names(steps), [], [], [], []]);
    await opened.database.query({ name: 'test.drop', text: 'drop schema counting cascade' });
    expect(sorted(await migrateAll(countingMigrations))).toEqual([names(files), [], [], [], []]);
  });
});

describe.each(Object.entries(engines))('a log by month on %s', (engine, open) => {
  test('of which a part is from before it goes on with its ids, and says where each time begins', async () => {
    const { database, stop } = await open();
    onTestFinished(() => stop());
    const migrations = migrationsOf(filesBefore);
    await database.migrate(migrations);
    await fill(database, 3_000);
    const log = await readLog(database, 'windows');
    await database.migrate(countingMigrations);
    expect(await readLog(database, 'windows')).toEqual(log);
    const clock = new ManualClock(Date.now());
    const counting = createCounting({ database, clock, logger });
    const one = { cmid: cmidOf(1), raisesCount: true, threshold: 5, machineName: '', fingerprint: '' };
    // Forward, far forward, back, and forward again.
    for (const laterMs of [0, 700_000, 400_000_000_000, 60_000, 3_600_000, 30_000]) {
      clock.set(Date.now() + laterMs);
      for (let n = 0; n < 3; n += 1) expect((await ask(counting, batchOf('windows', [one, one]))).failure).toBe('');
    }
    expect((await readLog(database, 'windows')).map(({ id }) => id)).toEqual(
      [...Array(3_036).keys()].map((n) => n + 1),
    );
    await expectTimes(database);
    await new LogKeeper({ database, clock, logger }).keep();
    await expectTimes(database);
  });

  test('reads the rows after an id, and those since a time, from the indexes of sixty months', async () => {
    const { database, stop } = await open();
    onTestFinished(() => stop());
    await database.migrate(countingMigrations);
    const clock = new ManualClock(startOfMonth(Date.now(), -60));
    const keeper = new LogKeeper({ database, clock, logger, logRetentionMonths: 0 });
    for (let month = 0; month < 60; month += 1) {
      clock.set(startOfMonth(Date.now(), month - 60));
      if (month % 3 === 0) await keeper.keep();
    }
    const readPage = async (after: number) => {
      await database.query({ name: 'test.move', text: 'update counting.outbox_cursor set last_id = $1::bigint' }, [
        after,
      ]);
      const [page] = await database.query<{ page: { id: number }[] }>(nextPageStatement, ['bus', 512]);
      return page?.page.map(({ id }) => id);
    };
    // A plan that was made on small months must not be kept for grown ones.
    await database.query({ name: 'test.cursor', text: `insert into counting.outbox_cursor values ('bus', 0)` });
    await database.query({ name: 'test.analyze', text: 'analyze counting.activation_log' });
    for (let n = 0; n < 10; n += 1) expect(await readPage(0)).toEqual([]);
    await database.transaction((session) =>
      session.query({
        name: 'test.fill_months',
        text: `
          insert into counting.activation_log
            (activation_id, occurred_at, gateway_id, remote_address, application, edition, cmid, machine_class,
             machine_name, fingerprint, licence_status, client_version, code, count, threshold, first_seen, cloned)
          select gen_random_uuid(), now() - (60000 - n) * interval '43 minutes', 'gateway', '192.0.2.1', 'windows',
                 'an-edition', gen_random_uuid(), 'physical', '', '', 'unlicensed', 'test/1', 'GRANTED', 50, 25, true,
                 false
          from generate_series(1, 60000) as n`,
      }),
    );
    await database.query({
      name: 'test.times',
      text: `insert into counting.log_time
             select date_bin('10 minutes', occurred_at, 'epoch'), min(id) from counting.activation_log group by 1
             on conflict (began_at) do update set first_id = least(log_time.first_id, excluded.first_id)`,
    });
    for (const after of [0, 30_000, 59_900]) {
      const expected = [...Array(Math.min(512, 60_000 - after)).keys()].map((n) => after + 1 + n);
      const before = await rowsRead(database);
      expect(await readPage(after)).toEqual(expected);
      const { scanned, fetched } = await rowsRead(database);
      expect(scanned - before.scanned).toBe(0);
      // Each month shows its first row after the id.
      expect(fetched - before.fetched).toBeLessThanOrEqual(expected.length + 70);
    }
    const since = Date.now() - 700 * 24 * 60 * 60_000;
    const startedMs = performance.now();
    const id = await firstLogId(database, since);
    const tookMs = performance.now() - startedMs;
    const [expected] = await database.query<{ id: number }>(
      {
        name: 'test.first',
        text: 'select min(id) as id from counting.activation_log where occurred_at >= to_timestamp($1::float8 / 1000)',
      },
      [since],
    );
    expect(id).toBe(expected?.id);
    process.stdout.write(`${engine}: first row since a time among sixty months in ${Math.round(tookMs)} ms\n`);
  });

  test('reads counts and machines of one application, and clones, without the machines of others', async () => {
    const { database, stop } = await open();
    onTestFinished(() => stop());
    await database.migrate(migrationsOf(filesBefore));
    await fill(database, 20_000);
    await database.migrate(countingMigrations);
    await database.query({ name: 'test.vacuum', text: 'vacuum analyze counting.machine' });
    const counting = createCounting({ database, clock: new ManualClock(Date.now()), logger });
    const rules = [{ application: 'windows', countCap: 50, countRetentionMinutes: 60 }];
    const [counts] = (await counting.getCounts({ rules })).counts;
    expect(counts).toMatchObject({ count: 50, machinesKnown: 20_000, machinesCloned: 20 });
    const listed = async (application: string, clonedOnly: boolean) => {
      let machines = 0;
      for await (const _ of counting.listMachines({ rules, application, clonedOnly })) machines += 1;
      return machines;
    };
    expect(await listed('', false)).toBe(20_000);
    expect(await listed('windows', false)).toBe(20_000);
    expect(await listed('windowt', false)).toBe(0);
    expect(await listed('', true)).toBe(20);
    expect(await listed('windows', true)).toBe(20);
    const before = await rowsRead(database, 'machine');
    expect(await listed('windows', true)).toBe(20);
    const after = await rowsRead(database, 'machine');
    expect(after.scanned - before.scanned).toBe(0);
    expect(after.fetched - before.fetched).toBe(20);
  });
});

/** What the log holds of the rows that an earlier release has filled in. */
async function digest(database: Database): Promise<unknown> {
  const rows = await database.transaction((session) =>
    session.query({
      name: 'test.digest',
      text: `select count(*) as rows, count(distinct id) as ids, sum(hashtextextended(log::text, 0)) as hash
             from counting.activation_log as log where id <= ${tableRows}`,
    }),
  );
  return rows[0];
}

/** Rows that were read from tables so far, by scans of whole tables and by indexes. */
async function rowsRead(
  database: Database,
  tables = 'activation_log%',
): Promise<{ readonly scanned: number; readonly fetched: number }> {
  // A session reports what it read when it comes to rest.
  await database.query({ name: 'test.flush', text: 'select pg_stat_force_next_flush()' });
  const [row] = await database.query<{ scanned: number; fetched: number }>(
    {
      name: 'test.rows_read',
      text: `select sum(seq_tup_read)::bigint as scanned, sum(idx_tup_fetch)::bigint as fetched
             from pg_stat_user_tables where schemaname = 'counting' and relname like $1::text`,
    },
    [tables],
  );
  return row ?? { scanned: 0, fetched: 0 };
}

async function firstLogId(database: Database, sinceMs: number): Promise<number | null> {
  const [row] = await database.query<{ id: number | null }>(
    { name: 'test.first_log_id', text: 'select counting.first_log_id(to_timestamp($1::float8 / 1000)) as id' },
    [sinceMs],
  );
  return row?.id ?? null;
}

/** Expects for many times that the first row since then is the one that reading the whole log finds. */
async function expectTimes(database: Database): Promise<void> {
  const [span] = await database.transaction((session) =>
    session.query<{ first: number; last: number }>({
      name: 'test.span',
      text: 'select min(occurred_at) as first, max(occurred_at) as last from counting.activation_log',
    }),
  );
  const { first = 0, last = 0 } = span ?? {};
  const edges = [first - 1, first, first + 1, last, last + 1, Date.now(), Date.now() + 500_000, Date.now() - 500_000];
  const steady = Array.from({ length: 20 }, (_, n) => first + Math.floor(((Date.now() - first) * n) / 20));
  for (const since of [...edges, ...steady]) {
    const [row] = await database.transaction((session) =>
      session.query<{ id: number | null }>(
        {
          name: 'test.first_since',
          text: 'select min(id) as id from counting.activation_log where occurred_at >= to_timestamp($1::float8 / 1000)',
        },
        [since],
      ),
    );
    expect(await firstLogId(database, since), new Date(since).toISOString()).toBe(row?.id ?? null);
  }
}
