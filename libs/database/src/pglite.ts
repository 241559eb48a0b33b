import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite, type Transaction, types } from '@electric-sql/pglite';
import { MusterError } from '@muster/product-groups';
import { cursorPages } from './cursor-pages.ts';
import type { Database, Migrations, Parameter, Session, Snapshot } from './database.ts';
import { lockDirectory } from './directory-lock.ts';
import { type MigrationClient, runMigrations } from './migrate.ts';
import type { Statement } from './statement.ts';

const parsers = {
  [types.INT8]: Number,
  [types.TIMESTAMPTZ]: (text: string) => Date.parse(text),
};

/** PGlite runs no autovacuum: this often the space of dead rows is given back. */
const vacuumEveryMs = 6 * 60 * 60 * 1000;

/**
 * Opens the embedded database in a directory, which is made when missing and locked against other processes.
 *
 * What was committed survives a killed process; PGlite never calls fsync, so a power cut can lose it (DESIGN 4.2).
 *
 * @throws MusterError `DATA_DIRECTORY_LOCKED`, `DATA_DIRECTORY_UNUSABLE` or `DATABASE_UNUSABLE`.
 */
export async function openPglite(options: { readonly directory: string }): Promise<Database> {
  const files = join(options.directory, 'pglite');
  makeDataDirectory(options.directory);
  const lock = lockDirectory(options.directory);
  let engine: PGlite;
  try {
    // The engine makes its files readable and writable for everybody; the directory above them is not.
    mkdirSync(files, { recursive: true, mode: 0o700 });
    chmodSync(files, 0o700);
    engine = await PGlite.create({ dataDir: files, parsers });
  } catch (error) {
    lock.release();
    throw new MusterError({
      code: 'DATABASE_UNUSABLE',
      message: `The embedded database in ${options.directory} cannot be opened: ${describe(error)}.`,
      remedy: 'Restore the directory from a backup, or start with another one.',
      cause: error,
    });
  }
  return fromPglite(engine, () => lock.release());
}

/** An embedded database that lives in memory and ends with the process, for tests. */
export async function openPgliteInMemory(): Promise<Database> {
  return fromPglite(await PGlite.create({ parsers }), () => undefined);
}

function fromPglite(engine: PGlite, afterClose: () => void): Database {
  const vacuuming = setInterval(() => {
    // A vacuum that fails costs space and nothing else; it is said, and tried again next time.
    vacuum(engine).catch((error) => process.emitWarning(error));
  }, vacuumEveryMs).unref();
  return {
    engine: 'pglite',
    async query<Row>(statement: Statement, parameters: readonly Parameter[] = []): Promise<readonly Row[]> {
      const result = await engine.query<Row>(statement.text, [...parameters]);
      return result.rows;
    },
    readSnapshot<Result>(read: (snapshot: Snapshot) => Promise<Result>): Promise<Result> {
      return engine.transaction(async (transaction) => {
        await transaction.exec('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
        return read(cursorPages(asSession(transaction)));
      });
    },
    async transaction<Result>(write: (session: Session) => Promise<Result>): Promise<Result> {
      const result = await engine.transaction((transaction) => write(asSession(transaction)));
      await engine.syncToFs();
      return result;
    },
    async migrate(migrations: Migrations) {
      try {
        return await runMigrations(asMigrationClient(engine), migrations);
      } catch (error) {
        // The engine has one session for all: a migration that failed must not leave its transaction open.
        await engine.exec('ROLLBACK');
        throw error;
      }
    },
    async close() {
      clearInterval(vacuuming);
      await engine.close();
      afterClose();
    },
  };
}

function asSession(transaction: Transaction): Session {
  return {
    async query<Row>(statement: Statement, parameters: readonly Parameter[] = []): Promise<readonly Row[]> {
      return (await transaction.query<Row>(statement.text, [...parameters])).rows;
    },
  };
}

/** Table by table, so that nobody waits for the whole of it. */
async function vacuum(engine: PGlite): Promise<void> {
  const { rows } = await engine.query<{ name: string }>(
    `select format('%I.%I', schemaname, relname) as name from pg_stat_user_tables order by name`,
  );
  for (const { name } of rows) await engine.exec(`VACUUM (ANALYZE) ${name}`);
}

/** node-pg-migrate speaks to a `pg` client; scripts of several statements go through PGlite's simple protocol. */
function asMigrationClient(engine: PGlite): MigrationClient {
  const query = async (config: string | { text: string; values?: unknown[] }, values?: unknown[]) => {
    const text = typeof config === 'string' ? config : config.text;
    const parameters = values ?? (typeof config === 'string' ? undefined : config.values);
    if (parameters !== undefined && parameters.length > 0) return engine.query(text, parameters);
    const results = await engine.exec(text);
    return results.at(-1) ?? { rows: [] };
  };
  return { query } as unknown as MigrationClient;
}

/**
 * Makes a data directory where it is missing.
 *
 * @throws MusterError `DATA_DIRECTORY_UNUSABLE`.
 */
export function makeDataDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new MusterError({
      code: 'DATA_DIRECTORY_UNUSABLE',
      message: `The data directory ${directory} cannot be made: ${(error as Error).message}.`,
      remedy: 'Choose a data directory that this user may write.',
      cause: error,
    });
  }
}

/** An error of the engine's file system has no message, and an abort ends with a period. */
function describe(error: unknown): string {
  return ((error as Error).message || 'its files cannot be read').replace(/\.$/, '');
}
