import { MusterError } from '@muster/product-groups';
import pg from 'pg';
import { cursorPages } from './cursor-pages.ts';
import type { Database, Migrations, Parameter, Session, Snapshot } from './database.ts';
import { runMigrations } from './migrate.ts';
import type { Statement } from './statement.ts';

/** How to reach a PostgreSQL server. */
export interface PostgresqlOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Most connections that are open at once; 4 unless told. */
  readonly connections?: number;
}

// PostgreSQL's own numbers for the types `bigint[]` and `timestamptz[]`, and for `text[]`, whose parser reads any array.
const int8Array = 1016;
const timestamptzArray = 1185;
const textArray = 1009 as Parameters<typeof pg.types.getTypeParser>[0];

const parseArray = pg.types.getTypeParser(textArray) as (text: string) => unknown[];
const parseTime = (text: string) => Date.parse(text);

const parsers: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.INT8, Number],
  [pg.types.builtins.TIMESTAMPTZ, parseTime],
  [int8Array, (text) => convertAll(parseArray(text), Number)],
  [timestamptzArray, (text) => convertAll(parseArray(text), parseTime)],
]);

const types = {
  getTypeParser: (id: number, format?: 'text' | 'binary') => parsers.get(id) ?? pg.types.getTypeParser(id, format),
} as pg.CustomTypesConfig;

/**
 * Limits of every session of the pool; migrations may take longer. A gateway has stopped waiting before, after 900 ms; what
 * ends later was still committed or not, and its machine asks again.
 */
const sessionSettings =
  '-c statement_timeout=1500 -c lock_timeout=1000 -c idle_in_transaction_session_timeout=5000 -c synchronous_commit=on';

/** Settings of a session for one long transaction. */
const transactionSettings =
  '-c statement_timeout=0 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=0 -c synchronous_commit=on';

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
    // The server ends a statement at 1.5 s; a server that has vanished ends nothing.
    query_timeout: 1800,
    keepAlive: true,
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
      const { name, text } = statement;
      const result = await pool.query({ name, text, values: [...parameters] }).catch(rethrow);
      return result.rows as Row[];
    },
    readSnapshot<Result>(read: (snapshot: Snapshot) => Promise<Result>): Promise<Result> {
      const begin = 'begin isolation level repeatable read read only';
      return runInTransaction(options.url, begin, (session) => read(cursorPages(session)));
    },
    transaction: (write) => runInTransaction(options.url, 'begin', write),
    async migrate(migrations: Migrations) {
      const client = new pg.Client({
        connectionString: options.url,
        connectionTimeoutMillis: 2000,
        keepAlive: true,
        keepAliveInitialDelayMillis: 10_000,
        types,
      });
      // A connection that dies between two statements: the next one reports it.
      client.on('error', () => undefined);
      await client.connect().catch(rethrow);
      try {
        return await runMigrations(client, migrations);
      } finally {
        await client.end();
      }
    },
    close: () => pool.end(),
  };
}

/**
 * A session of its own for one long transaction: waiting for a lock is limited, the work is not. Whatever happens
 * before the commit, the end of the session undoes it.
 */
async function runInTransaction<Result>(
  url: string,
  begin: string,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 2000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    options: transactionSettings,
    types,
  });
  // A connection that dies between two statements: the next one reports it.
  client.on('error', () => undefined);
  await client.connect().catch(rethrow);
  try {
    await client.query(begin).catch(rethrow);
    const result = await work({
      async query<Row>({ name, text }: Statement, parameters: readonly Parameter[] = []): Promise<readonly Row[]> {
        return (await client.query({ name, text, values: [...parameters] }).catch(rethrow)).rows as Row[];
      },
    });
    const { command } = await client.query('commit').catch(rethrow);
    // PostgreSQL answers so when a statement had failed and `work` went on.
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back, because a statement of it had failed');
    return result;
  } finally {
    await client.end();
  }
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

/** Throws what happened to a statement: the server's own error, or `UNAVAILABLE` when the server is not there for us. */
function rethrow(error: unknown): never {
  // SQLSTATE classes: 08 connection failure, 53 out of connections or disk, 57P shutdown. No SQLSTATE: nobody answered.
  if (error instanceof pg.DatabaseError && !/^(08|53|57P)/.test(error.code ?? '')) throw error;
  throw new MusterError({
    code: 'UNAVAILABLE',
    message: `PostgreSQL cannot be reached: ${describe(error)}.`,
    remedy: 'Check that the database server runs; the next call tries again.',
    cause: error,
  });
}

/** The values of an array, which may have dimensions and nulls. */
function convertAll(values: readonly unknown[], convert: (text: string) => number): unknown[] {
  return values.map((value) => {
    if (Array.isArray(value)) return convertAll(value, convert);
    return typeof value === 'string' ? convert(value) : null;
  });
}

/** A refused connection is an AggregateError with an empty message; its parts say what happened. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map((e: Error) => e.message).join(', ');
  return (error as Error).message;
}
