import { MusterError } from '@muster/product-groups';
import pg from 'pg';
import type { Database, Migrations, Parameter } from './database.ts';
import { runMigrations } from './migrate.ts';
import type { Statement } from './statement.ts';

/** How to reach a PostgreSQL server. */
export interface PostgresqlOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Most connections that are open at once; 4 unless told. */
  readonly connections?: number;
}

const types = {
  getTypeParser(id: number, format?: 'text' | 'binary') {
    if (id === pg.types.builtins.INT8) return Number;
    if (id === pg.types.builtins.TIMESTAMPTZ) return (text: string) => Date.parse(text);
    return pg.types.getTypeParser(id, format);
  },
} as pg.CustomTypesConfig;

/** Limits of every session (REFERENCES of the design: a statement ends before the gateway stops waiting for it). */
const sessionSettings =
  '-c statement_timeout=1500 -c lock_timeout=1000 -c idle_in_transaction_session_timeout=5000 -c synchronous_commit=on';

/**
 * Opens a pool of connections to PostgreSQL 15 or newer.
 *
 * @throws MusterError `DATABASE_UNUSABLE` when the server cannot be reached, is too old, or is set up to forget what it
 * acknowledged (`fsync` or `full_page_writes` off).
 */
export async function openPostgresql(options: PostgresqlOptions): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connections ?? 4,
    connectionTimeoutMillis: 2000,
    options: sessionSettings,
    types,
  });
  // A connection that dies while idle is replaced by the pool; the next query reports what is wrong, if anything.
  pool.on('error', () => undefined);
  try {
    await checkServer(pool);
  } catch (error) {
    await pool.end();
    if (error instanceof MusterError) throw error;
    throw new MusterError({
      code: 'DATABASE_UNUSABLE',
      message: `PostgreSQL cannot be used: ${describe(error)}.`,
      remedy: 'Check the address, the user and the password in the database URL, and that the server runs.',
      cause: error,
    });
  }
  return {
    engine: 'postgresql',
    async query<Row>(statement: Statement, parameters: readonly Parameter[] = []): Promise<readonly Row[]> {
      const result = await pool.query({ name: statement.name, text: statement.text, values: [...parameters] });
      return result.rows as Row[];
    },
    async migrate(migrations: Migrations) {
      const client = new pg.Client({ connectionString: options.url, types });
      await client.connect();
      try {
        return await runMigrations(client, migrations);
      } finally {
        await client.end();
      }
    },
    close: () => pool.end(),
  };
}

async function checkServer(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ version: number; fsync: string; pages: string }>(
    `select current_setting('server_version_num')::int as version, current_setting('fsync') as fsync,
            current_setting('full_page_writes') as pages`,
  );
  const server = rows[0];
  if (server === undefined || server.version < 150000) {
    throw new MusterError({
      code: 'DATABASE_UNUSABLE',
      message: `PostgreSQL 15 or newer is needed, and the server is version ${server?.version}.`,
      remedy: 'Upgrade the server.',
    });
  }
  if (server.fsync !== 'on' || server.pages !== 'on') {
    throw new MusterError({
      code: 'DATABASE_UNUSABLE',
      message: `PostgreSQL runs with fsync=${server.fsync} and full_page_writes=${server.pages}, so it can lose what it committed.`,
      remedy: 'Set both to on and restart the server.',
    });
  }
}

/** A refused connection is an AggregateError with an empty message; its parts say what happened. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map((e: Error) => e.message).join(', ');
  return (error as Error).message;
}
