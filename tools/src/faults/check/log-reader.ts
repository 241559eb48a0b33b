import pg from 'pg';
import type { LogRow, MachineRow } from './log-row.ts';

/** What PostgreSQL holds, all of it as of one moment. */
export interface LogReading {
  /** Rows with greater ids than asked, in order. */
  readonly rows: readonly LogRow[];
  readonly machines: readonly MachineRow[];
  /** How many rows the log has, up to the greatest id that it has. */
  readonly allRows: number;
}

const connectMs = 2_000;
const statementMs = 20_000;

const rowsAfter = `
  select id::float8 as "id", activation_id as "activationId",
         round(extract(epoch from occurred_at) * 1000)::float8 as "occurredAtMs",
         gateway_id as "gatewayId", application, edition, cmid, machine_class as "machineClass",
         machine_name as "machineName", fingerprint, client_version as "clientVersion", code, count, threshold,
         first_seen as "firstSeen", cloned
  from counting.activation_log
  where id > $1
  order by id`;

const machines = `
  select application, cmid, edition, machine_class as "machineClass", raises_count as "raisesCount",
         round(extract(epoch from first_request_at) * 1000)::float8 as "firstRequestMs",
         round(extract(epoch from last_request_at) * 1000)::float8 as "lastRequestMs",
         requests::float8 as "requests", last_code as "lastCode"
  from counting.machine`;

/**
 * Reads the log after an id and the machine table, in one snapshot and over a connection of its own.
 *
 * @throws what PostgreSQL or the connection to it says.
 */
export async function readLog(databaseUrl: string, afterId: number): Promise<LogReading> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    query_timeout: statementMs,
  });
  client.on('error', () => undefined); // The query under way fails with it.
  try {
    await client.connect();
    await client.query('begin isolation level repeatable read read only');
    const rows = await client.query<LogRow>(rowsAfter, [afterId]);
    const known = await client.query<MachineRow>(machines);
    const all = await client.query<{ rows: number }>('select count(*)::float8 as rows from counting.activation_log');
    return { rows: rows.rows, machines: known.rows, allRows: all.rows[0]?.rows ?? 0 };
  } finally {
    await client.end().catch(() => undefined);
  }
}
