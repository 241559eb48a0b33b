import type { Session } from '@muster/database';
import { attachMonth, createMonth, indexMonth, partitionsStatement } from './log-keeper-statements.ts';
import { type LogPartition, missingMonths } from './log-months.ts';

/** What an import must not be mixed with, in words; nothing when counting is as new. The schema has to be there. */
export async function countingContents(session: Session): Promise<readonly string[]> {
  const [present] = await session.query<{ machines: boolean; log: boolean }>({
    name: 'counting.contents',
    text: `
      select exists (select from counting.machine) as machines, exists (select from counting.activation_log) as log`,
  });
  return [...(present?.machines ? ['machines'] : []), ...(present?.log ? ['an activation log'] : [])];
}

/** Removes what an empty site has of its own, so that the imported rows find room. */
export async function clearCounting(session: Session): Promise<void> {
  for (const table of ['outbox_cursor', 'machine_identity', 'log_time']) {
    await session.query({ name: `counting.clear_${table}`, text: `delete from counting.${table}` });
  }
}

/** Before it there was no Muster: a row of an earlier month has its time from a wrong clock. */
const firstMonth = Date.UTC(2020, 0);

/**
 * Makes the months that rows of the log belong to, so that the log keeper need not move them there later. Rows of
 * times that make no sense stay in the default partition.
 *
 * @param rows JSON texts.
 */
export async function makeMonthsOf(session: Session, rows: readonly string[]): Promise<void> {
  const months = new Set<number>();
  for (const row of rows) {
    const [, month] = /^(\d{4}-\d\d)-/.exec((JSON.parse(row) as { occurred_at?: string }).occurred_at ?? '') ?? [];
    if (month !== undefined) months.add(Date.parse(`${month}-01T00:00:00Z`));
  }
  const partitions = await session.query<Omit<LogPartition, 'firstId' | 'lastId'>>(partitionsStatement);
  const [now] = await session.query<{ ms: number }>({ name: 'counting.import_time', text: 'select now() as ms' });
  const wanted = [...months].filter((month) => month >= firstMonth);
  for (const month of missingMonths(partitions, wanted, now?.ms ?? 0, 0)) {
    await session.query(createMonth(month));
    await session.query(indexMonth(month));
    await session.query(attachMonth(month));
  }
}

/**
 * Lets the ids of the log go on above every id that was imported or that a consumer has had: the relay reads
 * "id > cursor", so a smaller id would never be published.
 */
export async function finishCountingImport(session: Session): Promise<void> {
  await session.query({
    name: 'counting.continue_log',
    text: `
      select setval(pg_get_serial_sequence('counting.activation_log', 'id'), last.id)
      from (select greatest((select max(id) from counting.activation_log),
                            (select max(last_id) from counting.outbox_cursor)) as id) as last
      where last.id > 0`,
  });
  // PGlite analyses nothing by itself, and the first batches should not meet the statistics of empty tables.
  for (const table of ['counting.machine', 'counting.activation_log']) {
    await session.query({ name: `analyze ${table}`, text: `analyze ${table}` });
  }
}
