import { appendFileSync, cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventListener } from '@muster/events';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { temporaryDirectory, until } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import { desktops, newMachine, servers } from './support/machines.ts';
import { PostgresqlTools } from './support/postgresql-tools.ts';
import { emptyDatabase, onDatabase, recount, tableTexts } from './support/site-files.ts';
import { startTestSite, type TestSite } from './support/test-site.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const tools = PostgresqlTools.find();

interface LogState {
  readonly rows: number;
  readonly events: number;
  readonly greatestId: number;
  readonly cursor: number;
}

/** The log and the relay's cursor. */
function logState(url: string): Promise<LogState> {
  return onDatabase(url, async (database) => {
    const [state] = await database.query<LogState>({
      name: 'test.log_state',
      text: `
        select count(*) as rows, count(distinct activation_id) as events, max(id) as "greatestId",
               (select last_id from counting.outbox_cursor where consumer = 'bus') as cursor
        from counting.activation_log`,
    });
    if (state === undefined) throw new Error('there is no log');
    return state;
  });
}

/** Notes the ids of events. */
function collector(): { readonly ids: string[]; readonly onEvent: EventListener } {
  const ids: string[] = [];
  return { ids, onEvent: ({ event }) => void ids.push(event.id) };
}

/** What must hold of a site that was restored: it counts what its log says, and goes on where its cursor is. */
async function checkRestored(url: string, place: string, countBefore: Awaited<ReturnType<TestSite['count']>>) {
  const { byLog, byMachines } = await recount(url);
  expect(byMachines).toBe(byLog);
  expect(byMachines).toBe(countBefore.machinesCounted);
  const before = await logState(url);
  expect(before.events).toBe(before.rows);
  expect(before.cursor).toBeLessThanOrEqual(before.greatestId);

  const { ids, onEvent } = collector();
  const site = await startTestSite({ databaseUrl: url, dataDirectory: place, onEvent });
  expect(await site.count()).toEqual(countBefore);
  const [answer] = await site.askEach(servers(1));
  expect(answer).toMatchObject({ code: 'GRANTED' });
  // A lease of the relay that ran at the time of the backup may have to run out first.
  await until(() => ids.at(-1) === answer?.activationId, 'the last event is published');
  await site.site.stop();
  const after = await logState(url);
  expect(after.greatestId).toBeGreaterThan(before.greatestId);
  expect(after).toMatchObject({ rows: before.rows + 1, events: before.rows + 1, cursor: after.greatestId });
  // Each event that had not been published, then the new one: none twice.
  expect(ids).toHaveLength(before.rows - (await rowsUpTo(url, before.cursor)) + 1);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.at(-1)).toBe(answer?.activationId);
}

function rowsUpTo(url: string, id: number): Promise<number> {
  return onDatabase(url, async (database) => {
    const [row] = await database.query<{ rows: number }>(
      { name: 'test.rows_up_to', text: 'select count(*) as rows from counting.activation_log where id <= $1::bigint' },
      [id],
    );
    return row?.rows ?? -1;
  });
}

describe('a site on PostgreSQL', () => {
  let server: Awaited<ReturnType<PostgresqlTools['start']>>;
  let archive: string;
  let place: string;
  let site: TestSite;

  beforeAll(async () => {
    archive = tools.makeDirectory('archive');
    const data = tools.makeCluster('primary');
    appendFileSync(
      join(data, 'postgresql.conf'),
      `archive_mode = on\narchive_command = 'test ! -f ${archive}/%f && cp %p ${archive}/%f'\n`,
    );
    server = await tools.start(data);
    place = join(temporaryDirectory(), 'site');
    site = await startTestSite({ databaseUrl: server.url, dataDirectory: place });
    const clone = newMachine();
    await site.askEach([
      ...servers(6),
      ...desktops(4),
      ...desktops(2, { machineClass: 'virtual' }),
      clone,
      { ...clone, machineName: 'CLONE' },
    ]);
  });

  test('is what it was after pg_dump, taken while it runs, and pg_restore', async () => {
    const count = await site.count();
    const file = join(tools.directory, 'site.dump');
    tools.run('pg_dump', '-d', server.url, '-n', 'policy', '-n', 'counting', '-Fc', '-f', file);
    const texts = await onDatabase(server.url, tableTexts);
    await site.askEach(servers(2)); // after the backup
    const url = await emptyDatabase(server);
    tools.run('pg_restore', '-d', url, '--single-transaction', '--no-owner', file);
    const { 'counting.outbox_cursor': _now, ...restored } = await onDatabase(url, tableTexts);
    const { 'counting.outbox_cursor': _then, ...before } = texts;
    expect(restored).toEqual(before);
    const copy = join(temporaryDirectory(), 'restored');
    cpSync(place, copy, { recursive: true, filter: (path) => !/muster\.sock|lock\./.test(path) });
    await checkRestored(url, copy, count);
  });

  test('comes back to the moment before an accident, from a base backup and the archive of its log', async () => {
    const base = join(tools.directory, 'base');
    tools.run('pg_basebackup', '-d', server.url, '-D', base, '-c', 'fast', '-X', 'stream');
    tools.run('pg_verifybackup', base);
    await site.askEach(servers(5)); // after the base backup: only the archive has them
    const count = await site.count();
    const sql = (text: string) =>
      onDatabase(server.url, (database) => database.query({ name: `test.${text}`.slice(0, 60), text }));
    await sql(`select pg_create_restore_point('before_the_accident')`);
    await site.askEach(servers(3));
    await sql('delete from counting.machine');
    await sql('delete from counting.activation_log where id % 2 = 0');
    await site.site.stop();
    await sql('select pg_switch_wal()');
    await until(
      () => onDatabase(server.url, async (database) => (await database.query(archived)).length === 1),
      'the archive has the log',
    );
    server.stop();

    writeFileSync(join(base, 'recovery.signal'), '');
    const restored = await tools.start(base, {
      archive_mode: 'off',
      restore_command: `'cp ${archive}/%f "%p"'`,
      recovery_target_name: 'before_the_accident',
      recovery_target_action: 'promote',
    });
    await until(
      () => onDatabase(restored.url, async (database) => (await database.query(promoted)).length === 1),
      'the server has recovered and writes again',
    );
    await checkRestored(restored.url, place, count);
  });
});

const promoted = { name: 'test.promoted', text: 'select 1 where not pg_is_in_recovery()' };
const archived = {
  name: 'test.archived',
  text: `select 1 from pg_stat_archiver
         where last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) and failed_count = 0`,
};

test('an embedded site is what it was in a copy of its directory that was made while it was stopped', async () => {
  const original = await dataDirectory();
  const site = await startTestSite({ dataDirectory: original });
  await site.askEach(servers(6));
  const count = await site.count();
  const { hostId } = site.site.policy.host;
  await site.site.stop();
  const copy = join(temporaryDirectory(), 'copy');
  cpSync(original, copy, { recursive: true });
  const { ids, onEvent } = collector();
  const restored = await startTestSite({ dataDirectory: copy, onEvent });
  expect(restored.site.policy.host.hostId).toBe(hostId);
  expect(await restored.count()).toEqual(count);
  const [answer] = await restored.askEach(servers(1));
  await restored.site.stop();
  expect(ids).toEqual([answer?.activationId]);
  expect(existsSync(join(copy, 'host-key.secret'))).toBe(true);
});
