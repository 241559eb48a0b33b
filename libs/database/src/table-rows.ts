import type { Session, Snapshot } from './database.ts';

/**
 * A table whose rows are carried from one database to another as JSON texts, each an object by column names as
 * PostgreSQL's `row_to_json` writes it: numbers in full precision, times in ISO 8601 with microseconds, `bytea` as
 * `\x` and hexadecimal digits. The texts never become JavaScript values, so that nothing is rounded.
 */
export interface CarriedTable {
  /** Schema and name, for example `counting.machine`. Part of the SQL text, so never from outside. */
  readonly name: string;
  /** Columns that order the rows (SQL), so that equal tables are read equal. */
  readonly orderBy: string;
  /** Which rows are carried (SQL); all when it is left out. */
  readonly where?: string;
  /** Makes room for rows (JSON texts) that are about to be inserted. */
  readonly beforeInsert?: (session: Session, rows: readonly string[]) => Promise<void>;
}

/** Few enough to be held in memory at once, also where a row is large. */
const rowsPerPage = 1_000;

/**
 * Makes sure that the tables stay what they are while they are read, and that they are written alike by every server.
 * It reads nothing, so the moment of the snapshot is still to come.
 */
export async function holdTables(snapshot: Snapshot, tables: readonly CarriedTable[]): Promise<void> {
  await snapshot.query({
    name: 'table_rows.hold',
    text: `lock table ${tables.map(({ name }) => name).join(', ')} in access share mode`,
  });
  await snapshot.query({ name: 'table_rows.time_zone', text: `set local timezone to 'UTC'` });
  await snapshot.query({ name: 'table_rows.bytea', text: `set local bytea_output to 'hex'` });
}

/** The columns that a row is made of, in their order; without those that the database computes itself. */
export async function readColumns(session: Session, { name }: CarriedTable): Promise<readonly string[]> {
  const rows = await session.query<{ column: string }>(
    {
      name: 'table_rows.columns',
      text: `
        select attname as column
        from pg_attribute
        where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''
        order by attnum`,
    },
    [name],
  );
  return rows.map(({ column }) => column);
}

/** The rows of a table as JSON texts, in pages. */
export async function* readRows(
  snapshot: Snapshot,
  table: CarriedTable,
  columns: readonly string[],
): AsyncIterable<readonly string[]> {
  const statement = {
    name: `read ${table.name}`,
    text: `
      select row_to_json(carried)::text as row
      from (select ${columns.map(quote).join(', ')} from ${table.name}
            where ${table.where ?? 'true'} order by ${table.orderBy}) as carried`,
  };
  for await (const page of snapshot.pages<{ row: string }>(statement, rowsPerPage)) yield page.map(({ row }) => row);
}

/**
 * Inserts rows that `readRows` gave, under the ids that they have.
 *
 * @param columns those to fill; the others of the table get their defaults.
 */
export async function insertRows(
  session: Session,
  table: CarriedTable,
  columns: readonly string[],
  rows: readonly string[],
): Promise<void> {
  const list = columns.map(quote).join(', ');
  await table.beforeInsert?.(session, rows);
  await session.query(
    {
      name: `insert ${table.name}`,
      text: `
        insert into ${table.name} (${list}) overriding system value
        select ${list} from json_populate_recordset(null::${table.name}, $1::json)`,
    },
    [`[${rows.join(',')}]`],
  );
}

function quote(column: string): string {
  return `"${column.replaceAll('"', '""')}"`;
}
