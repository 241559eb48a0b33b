import type { Database } from '@muster/database';
import { createLogger, ManualClock } from '@muster/service-kit';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ask, batchOf, cmidOf } from '../test/batches.ts';
import { engines, openPostgresqlForTest, type TestDatabase } from '../test/engines.ts';
import { expectLogged, expectRecount, readLog } from '../test/recount.ts';
import { LogKeeper, type LogKeeperParts } from './log-keeper.ts';
import { countingMigrations } from './migrations.ts';
import { createCounting } from './service.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const start = Date.parse('2026-11-24T12:00:00Z');
const hourMs = 60 * 60_000;
const dayMs = 24 * hourMs;
const application = 'an-application';
const logger = createLogger('test', 'silent');

/** A site: a database, a clock, and what the tests do with them. */
function siteOn(database: Database) {
  const clock = new ManualClock(start);
  const counting = createCounting({ database, clock, logger });
  let machine = 0;
  return {
    clock,
    /** A keeper, and what it warned of. */
    keeper(parts: Partial<LogKeeperParts> = {}) {
      const warnings: string[] = [];
      const heard = { ...logger, info: () => undefined, warn: (_: unknown, text: string) => warnings.push(text) };
      return { keeper: new LogKeeper({ database, clock, logger: heard as never, ...parts }), warnings };
    },
    /** Some machines ask. */
    async activity() {
      const requests = Array.from({ length: 5 }, () => ({
        cmid: cmidOf(machine++ % 40),
        raisesCount: true,
        threshold: 5,
        machineName: '',
        fingerprint: '',
      }));
      const answer = await ask(counting, batchOf(application, requests));
      expect(answer.failure).toBe('');
      return answer;
    },
    publish: (consumer = 'bus', lastId?: number) =>
      database.query(
        {
          name: 'test.publish',
          text: `
            insert into counting.outbox_cursor (consumer, last_id)
            values ($1::text, coalesce($2::bigint, (select max(id) from counting.activation_log)))
            on conflict (consumer) do update set last_id = excluded.last_id`,
        },
        [consumer, lastId ?? null],
      ),
    async partitions(): Promise<readonly string[]> {
      const rows = await database.query<{ name: string }>({
        name: 'test.partitions',
        text: `select relname::text as name from pg_inherits join pg_class on pg_class.oid = inhrelid
               where inhparent = 'counting.activation_log'::regclass order by relname`,
      });
      return rows.map(({ name }) => name.replace('activation_log_', '')).filter((name) => name !== 'default');
    },
    /** Where the rows lie. */
    async places(): Promise<Readonly<Record<string, number>>> {
      const rows = await database.query<{ name: string; rows: number }>({
        name: 'test.places',
        text: `select tableoid::regclass::text as name, count(*) as rows from counting.activation_log group by 1`,
      });
      return Object.fromEntries(rows.map(({ name, rows: n }) => [name.replace('counting.activation_log_', ''), n]));
    },
    log: () => readLog(database, application),
  };
}

type Site = ReturnType<typeof siteOn>;

describe.each(Object.entries(engines))('the keeper of the log on %s', (_, open) => {
  let opened: TestDatabase;
  let site: Site;

  beforeAll(async () => {
    opened = await open();
  });
  beforeEach(async () => {
    await opened.database.query({ name: 'test.drop', text: 'drop schema if exists counting cascade' });
    await opened.database.migrate(countingMigrations);
    site = siteOn(opened.database);
  });
  afterAll(() => opened.stop());

  test('makes this month and the next two, once a day and when the month changes', async () => {
    const { keeper } = site.keeper();
    expect(await keeper.look()).toBe(true);
    expect(await site.partitions()).toEqual(['2026_11', '2026_12', '2027_01']);
    site.clock.advance(dayMs - 1);
    expect(await keeper.look()).toBe(false);
    site.clock.advance(1);
    expect(await keeper.look()).toBe(true);
    site.clock.set(Date.parse('2026-12-01T00:00:00Z'));
    expect(await keeper.look()).toBe(true);
    expect(await site.partitions()).toEqual(['2026_11', '2026_12', '2027_01', '2027_02']);
  });

  test('runs when it is started, and has ended when it is stopped', async () => {
    const { keeper } = site.keeper();
    keeper.start();
    await keeper.stop();
    expect(await site.partitions()).toEqual(['2026_11', '2026_12', '2027_01']);
    site.clock.advance(40 * dayMs);
    await keeper.stop();
    expect(await site.partitions()).toHaveLength(3);
  });

  test('moves rows that found no month to theirs, and nobody who reads the log sees a difference', async () => {
    await site.activity();
    site.clock.set(Date.parse('2026-12-31T23:59:59.999Z'));
    await site.activity();
    site.clock.set(Date.parse('2027-01-01T00:00:00Z'));
    await site.activity();
    const log = await site.log();
    expect(await site.places()).toEqual({ default: 15 });
    await site.keeper().keeper.keep();
    expect(await site.places()).toEqual({ '2026_11': 5, '2026_12': 5, '2027_01': 5 });
    expect(await site.log()).toEqual(log);
    await site.activity();
    expect(await site.places()).toEqual({ '2026_11': 5, '2026_12': 5, '2027_01': 10 });
    await expectRecount(opened.database, application);
  });

  test('keeps the months of the retention while years pass', async () => {
    const { keeper, warnings } = site.keeper({ logRetentionMonths: 3 });
    for (let month = 0; month < 30; month += 1) {
      await keeper.look();
      await site.activity();
      await site.publish();
      site.clock.advance(Date.UTC(2026, 11 + month, 24, 12) - site.clock.nowMs());
    }
    await keeper.look();
    await site.activity();
    expect(warnings).toEqual([]);
    expect(new Date(site.clock.nowMs()).toISOString()).toBe('2029-05-24T12:00:00.000Z');
    expect(await site.partitions()).toEqual(['2029_02', '2029_03', '2029_04', '2029_05', '2029_06', '2029_07']);
    expect((await site.log()).map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, n) => 136 + n));
  });

  test('drops no month with a row that a consumer has not had', async () => {
    const { keeper, warnings } = site.keeper({ logRetentionMonths: 1 });
    for (let month = 0; month < 4; month += 1) {
      await keeper.look();
      await site.activity();
      site.clock.advance(Date.UTC(2026, 11 + month, 24) - site.clock.nowMs());
    }
    await site.activity();
    await keeper.keep();
    expect(Object.keys(await site.places())).toContain('2026_11');
    expect(warnings.at(-1)).toMatch(/wait for their events to be published/);

    // Rows 11 to 15 are those of the month that is to leave first, and older ones leave with it.
    await site.publish('bus');
    await site.publish('other', 14);
    await keeper.keep();
    expect(await site.log()).toHaveLength(25);

    await site.publish('other', 15);
    await keeper.keep();
    expect(await site.places()).toEqual({ '2027_02': 5, '2027_03': 5 });
  });

  test('keeps everything for ever when it is told to', async () => {
    const { keeper } = site.keeper({ logRetentionMonths: 0 });
    for (let month = 0; month < 12; month += 1) {
      await keeper.look();
      await site.activity();
      await site.publish();
      site.clock.advance(Date.UTC(2027 + month, 5, 1) - site.clock.nowMs());
    }
    await keeper.look();
    expect(await site.log()).toHaveLength(60);
  });

  test('loses nothing by a clock that jumps to 2038 and back', async () => {
    const { keeper, warnings } = site.keeper({ logRetentionMonths: 2 });
    const nextMonth = async () => {
      const now = new Date(site.clock.nowMs());
      site.clock.advance(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 24) - site.clock.nowMs());
      await keeper.look();
      await site.activity();
      await site.publish();
    };
    for (let month = 0; month < 6; month += 1) await nextMonth();
    const [before, log] = [site.clock.nowMs(), await site.log()];

    site.clock.set(Date.parse('2038-01-19T03:14:08Z'));
    const unforeseen = await site.activity();
    expect(await site.places()).toMatchObject({ default: 5 });
    await site.publish();
    expect(await keeper.look()).toBe(true);
    await site.activity();
    await site.publish();
    await keeper.keep();
    expect(await site.places()).toMatchObject({ '2038_01': 10 });
    expect((await site.log()).slice(0, log.length)).toEqual(log);

    site.clock.set(before + dayMs);
    expect(await keeper.look()).toBe(true);
    await site.activity();
    await site.publish();
    expect(await site.partitions()).toEqual(['2027_03', '2027_04', '2027_05', '2027_06', '2027_07', '2038_01']);
    expectLogged(await site.log(), [unforeseen]);

    // The rows of 2038 were committed in May; they leave with June.
    for (let month = 0; month < 3; month += 1) await nextMonth();
    expect(await site.places()).toEqual({ '2027_06': 5, '2027_07': 5, '2027_08': 5, '2038_01': 10 });
    await nextMonth();
    expect(await site.places()).toEqual({ '2027_07': 5, '2027_08': 5, '2027_09': 5 });
    expect((await site.log()).every(({ occurred_at }) => occurred_at < Date.parse('2028-01-01'))).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('loses nothing by a clock that starts in 1970', async () => {
    const { keeper } = site.keeper({ logRetentionMonths: 2 });
    const present = site.clock.nowMs();
    site.clock.set(0);
    const early = [await site.activity()];
    await keeper.keep();
    early.push(await site.activity());
    site.clock.set(1_000 * dayMs);
    early.push(await site.activity());
    for (let month = 0; month < 3; month += 1) {
      site.clock.set(present + month * 31 * dayMs);
      await keeper.keep();
      await site.activity();
      await site.publish();
      await keeper.keep();
      expectLogged(await site.log(), early);
    }
    // They leave with the month that was committed next.
    for (let month = 3; month < 5; month += 1) {
      site.clock.set(present + month * 31 * dayMs);
      await site.activity();
      await site.publish();
      await keeper.keep();
    }
    expect(await site.places()).toEqual({ '2027_01': 5, '2027_02': 5, '2027_03': 5 });
  });

  test('lets every month and the default partition find rows by their id', async () => {
    await site.keeper().keeper.keep();
    const rows = await opened.database.query({
      name: 'test.unindexed',
      text: `
        select inhrelid::regclass::text as name
        from pg_inherits
        where inhparent = 'counting.activation_log'::regclass
          and not exists (select from pg_index where indrelid = inhrelid and indisprimary and indisvalid)`,
    });
    expect(rows).toEqual([]);
  });

  test('works in every replica at once, while batches are counted', async () => {
    const handles = [opened.database, await opened.another(), await opened.another(), await opened.another()];
    for (let month = 0; month < 6; month += 1) {
      let keeping = true;
      const keepers = handles.map((database) => site.keeper({ database, logRetentionMonths: 1 }).keeper.keep());
      const kept = Promise.all(keepers).finally(() => {
        keeping = false;
      });
      const counted = handles.map(async (database) => {
        const counting = createCounting({ database, clock: site.clock, logger });
        const requests = [...Array(32).keys()].map((n) => cmidOf(n));
        do {
          const answer = await ask(
            counting,
            batchOf(
              application,
              requests.map((cmid) => ({ cmid, raisesCount: true, threshold: 5, machineName: '', fingerprint: '' })),
            ),
          );
          expect(answer.failure).toBe('');
        } while (keeping);
      });
      await Promise.all([kept, ...counted]);
      await site.publish();
      site.clock.advance(31 * dayMs);
    }
    const { keeper } = site.keeper({ logRetentionMonths: 1 });
    await site.activity();
    await site.publish();
    await keeper.keep();
    expect(await site.partitions()).toEqual(['2027_04', '2027_05', '2027_06', '2027_07']);
    const [row] = await opened.database.query<{ deadlocks: number }>({
      name: 'test.deadlocks',
      text: 'select deadlocks from pg_stat_database where datname = current_database()',
    });
    expect(row?.deadlocks).toBe(0);
  });
});

test('a keeper on PostgreSQL tries again within the hour when somebody holds the log', async () => {
  const opened = await openPostgresqlForTest();
  onTestFinished(() => opened.stop());
  await opened.database.migrate(countingMigrations);
  const site = siteOn(opened.database);
  const { keeper, warnings } = site.keeper();
  await site.activity();
  const other = await opened.another();
  await other.transaction(async (session) => {
    await session.query({ name: 'test.read', text: 'lock table counting.activation_log in access share mode' });
    expect(await keeper.look()).toBe(false);
    // Whoever holds the log for reading hinders nobody.
    await site.activity();
    site.clock.advance(59_000);
    expect(await keeper.look()).toBe(false);
    expect(warnings).toHaveLength(1);
    for (let attempt = 0; attempt < 10; attempt += 1) {
      site.clock.advance(hourMs);
      await keeper.look();
    }
    expect(warnings).toHaveLength(11);
  });
  site.clock.advance(hourMs);
  expect(await keeper.look()).toBe(true);
  expect(await site.places()).toEqual({ '2026_11': 10 });
});

test('a keeper on PostgreSQL that is stopped while it holds batches up lets them go on', async () => {
  const opened = await openPostgresqlForTest();
  onTestFinished(() => opened.stop());
  await opened.database.migrate(countingMigrations);
  const site = siteOn(opened.database);
  let goOn = () => {};
  const isReleased = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let isHolding = false;
  // As a process that gets no time: its next statement comes late.
  const stopped: Database = {
    ...opened.database,
    transaction: (write) =>
      opened.database.transaction((session) =>
        write({
          async query(statement, parameters) {
            if (statement.name.startsWith('counting.attach_')) {
              isHolding = true;
              await isReleased;
            }
            return session.query(statement, parameters);
          },
        }),
      ),
  };
  const { keeper, warnings } = site.keeper({ database: stopped });
  const looked = keeper.look();
  await expect.poll(() => isHolding, { timeout: 10_000 }).toBe(true);
  await expect.poll(() => site.activity().then(() => 'counted', String), { timeout: 10_000 }).toBe('counted');
  goOn();
  expect(await looked).toBe(false);
  expect(warnings).toEqual(['the months of the activation log were not kept']);
  site.clock.advance(hourMs);
  expect(await keeper.look()).toBe(true);
  expect(await site.places()).toEqual({ '2026_11': 5 });
});
