import type { Database, Parameter, Statement } from '@muster/database';
import type { StreamPlace } from '@muster/events';
import type { CursorRow, LogPage, LogRow } from './rows.ts';
import { nextPageStatement, openCursorStatement, readCursorStatement, saveCursorStatement } from './statements.ts';

/** The consumer of the log that the relay publishes for. */
export const busConsumer = 'bus';

/** How far the relay has come. */
export interface OutboxCursor {
  /** The id of the last log row that was published; 0 before the first. */
  readonly lastId: number;
  /** Where the last publication lies in the durable stream; undefined before the first, and without such a stream. */
  readonly place: StreamPlace | undefined;
}

/** The cursor as it is in the database. */
export async function readCursor(database: Database): Promise<OutboxCursor> {
  const [row] = await readOrOpen<CursorRow>(database, readCursorStatement, [busConsumer]);
  return toCursor(row);
}

/** The cursor and the rows that come after it, in the order of their commit. */
export async function readPage(
  database: Database,
  maximumRows: number,
): Promise<{ readonly cursor: OutboxCursor; readonly rows: readonly LogRow[] }> {
  const [page] = await readOrOpen<LogPage>(database, nextPageStatement, [busConsumer, maximumRows]);
  return { cursor: toCursor(page), rows: page?.page ?? [] };
}

/**
 * Moves the cursor, if it is where it was read and the lease has not gone to somebody else.
 *
 * @returns whether it was moved.
 */
export async function saveCursor(
  database: Database,
  holder: string,
  from: OutboxCursor,
  to: OutboxCursor,
): Promise<boolean> {
  const { incarnation = null, sequence = null, eventId = null } = to.place ?? {};
  const parameters = [busConsumer, from.lastId, to.lastId, incarnation, sequence, eventId, holder];
  return (await database.query(saveCursorStatement, parameters)).length > 0;
}

/** What a statement reads of the cursor, which is made when it is not there yet. */
async function readOrOpen<Row>(
  database: Database,
  statement: Statement,
  parameters: readonly Parameter[],
): Promise<readonly Row[]> {
  const rows = await database.query<Row>(statement, parameters);
  if (rows.length > 0) return rows;
  await database.query(openCursorStatement, [busConsumer]);
  return database.query<Row>(statement, parameters);
}

function toCursor(row: CursorRow | undefined): OutboxCursor {
  if (row === undefined) return { lastId: 0, place: undefined };
  const { last_id: lastId, stream_incarnation: incarnation, stream_sequence: sequence } = row;
  if (incarnation === null || sequence === null) return { lastId, place: undefined };
  return { lastId, place: { incarnation, sequence, eventId: row.stream_event_id ?? undefined } };
}
