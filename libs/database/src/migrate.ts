import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { MusterError } from '@muster/product-groups';
import type { MigrationBuilder, RunnerOption } from 'node-pg-migrate';
import type { ClientBase } from 'pg';
import type { Migrations, Parameter, Session } from './database.ts';
import type { Statement } from './statement.ts';

/** What node-pg-migrate uses of a `pg` client. */
export type MigrationClient = Pick<ClientBase, 'query'>;

/**
 * The lock of node-pg-migrate's own runner. Earlier releases let the runner take it, so they and we exclude each other.
 */
const migrationLock = 7241865325823964;

/** How often a process that waits for another one's migrations looks again. */
const lockPollMs = 100;

/**
 * How long a migration waits for a lock on a table. Whoever wants the table queues behind it meanwhile, so it gives up
 * soon and tries again; a migration that hinders nobody may set a longer time for itself by `set local`.
 */
const lockTimeout = '100ms';

/** How long locks are tried for before the migration is given up: a backup or a report may hold a table for a while. */
const giveUpAfterMs = 5 * 60_000;
const firstRestMs = 100;
const longestRestMs = 3_000;

const lockNotAvailable = '55P03';
const deadlockDetected = '40P01';

/** How to wait for locks; tests wait less. */
export interface MigrationPatience {
  /** Milliseconds from the first refused lock on after which the migration is given up. */
  readonly giveUpAfterMs: number;
}

/**
 * Applies the pending migrations of one service by node-pg-migrate, each file in a transaction of its own.
 *
 * A file whose first line is `-- Without a transaction.` runs statement by statement instead (a statement ends with a
 * semicolon at the end of a line), for what PostgreSQL does only so, like `create index concurrently`. It may be run
 * again from its beginning after it was interrupted, and has to allow for that.
 *
 * Of several replicas one migrates and the others wait. A lock that others hold is tried again for five minutes, with
 * rests in between, so that whoever uses the table goes on.
 *
 * @returns the names of the migrations that this process applied, in order.
 * @throws MusterError `DATABASE_UNUSABLE` when a newer release has migrated the schema, or when a lock was not to be had.
 */
export async function runMigrations(
  client: MigrationClient,
  migrations: Migrations,
  patience: MigrationPatience = { giveUpAfterMs },
): Promise<readonly string[]> {
  const applied: string[] = [];
  const note = (name: string) => applied.push(name);
  let refusedSinceMs: number | undefined;
  for (let restMs = firstRestMs; ; restMs = Math.min(2 * restMs, longestRestMs)) {
    try {
      await migrateOnce(client, migrations, note);
      await refuseUnknown(client, migrations);
      return applied;
    } catch (error) {
      if (!isLockRefusal(error)) throw error;
      refusedSinceMs ??= performance.now();
      if (performance.now() - refusedSinceMs >= patience.giveUpAfterMs) throw lockMissing(migrations, error);
      await setTimeout(restMs);
    }
  }
}

/**
 * One attempt under the lock of migrations. The lock is given back before a rest, so that nobody who waits for it is
 * stuck.
 */
async function migrateOnce(
  client: MigrationClient,
  migrations: Migrations,
  note: (name: string) => void,
): Promise<void> {
  const { runner } = await import('node-pg-migrate');
  await takeMigrationLock(client);
  const before = new Set(await appliedMigrations(asSession(client), migrations));
  const end = async () => {
    await client.query('rollback');
    for (const name of await appliedMigrations(asSession(client), migrations)) if (!before.has(name)) note(name);
    // The embedded engine has one session for everything; the runner has changed it too.
    for (const name of ['lock_timeout', 'statement_timeout', 'search_path']) await client.query(`reset ${name}`);
    await client.query(`select pg_advisory_unlock(${migrationLock})`);
  };
  try {
    await client.query('set statement_timeout = 0');
    await client.query(`set lock_timeout = '${lockTimeout}'`);
    await runner({
      dbClient: client as ClientBase,
      dir: migrations.directory,
      schema: migrations.schema,
      createSchema: true,
      migrationsTable: 'schema_migration',
      migrationsSchema: migrations.schema,
      direction: 'up',
      noLock: true,
      migrationLoaderStrategies: [{ extensions: ['.sql'], loader: readMigrations }],
      logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
  } catch (error) {
    // A session that has died has given everything back already; why it died is what the caller has to know.
    await end().catch(() => undefined);
    throw error;
  }
  await end();
}

function asSession(client: MigrationClient): Session {
  return {
    query: async <Row>({ text }: Statement, parameters: readonly Parameter[] = []) =>
      (await client.query(text, [...parameters])).rows as readonly Row[],
  };
}

/**
 * Waits by looking again and again. A session that waits inside `pg_advisory_lock` has a snapshot open meanwhile, and
 * `create index concurrently` in the process that migrates would wait for that one, for ever.
 */
async function takeMigrationLock(client: MigrationClient): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(`select pg_try_advisory_lock(${migrationLock}) as taken`);
    if (rows[0]?.taken === true) return;
    await setTimeout(lockPollMs);
  }
}

type MigrationLoader = Exclude<NonNullable<RunnerOption['migrationLoaderStrategies']>[number]['loader'], string>;

const readMigrations: MigrationLoader = (paths) =>
  Promise.all(
    paths.map(async (path) => {
      const text = await readFile(path, 'utf8');
      return { id: path, filePaths: [path], actions: { up: (builder) => addSteps(builder, text), down: false } };
    }),
  );

function addSteps(builder: MigrationBuilder, text: string): void {
  if (!/^-- Without a transaction\./.test(text)) {
    builder.sql(text);
    return;
  }
  builder.noTransaction();
  // These statements wait for the end of every older transaction and hinder nobody meanwhile: no limit makes sense.
  builder.sql('set lock_timeout = 0');
  for (const statement of text.split(/;[ \t]*$/m)) if (statement.trim() !== '') builder.sql(statement.trim());
  builder.sql(`set lock_timeout = '${lockTimeout}'`);
}

function isLockRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === lockNotAvailable || code === deadlockDetected;
}

function lockMissing({ schema }: Migrations, cause: unknown): MusterError {
  return new MusterError({
    code: 'DATABASE_UNUSABLE',
    message: `The schema ${schema} cannot be migrated: another session holds a lock on one of its tables.`,
    remedy: 'Wait for long queries and backups to end, or end them (pg_stat_activity lists them), and start again.',
    cause,
  });
}

/** A schema that a newer release has migrated may not mean what this one takes it for. */
async function refuseUnknown(client: MigrationClient, { schema, directory }: Migrations): Promise<void> {
  const { rows } = await client.query<{ name: string }>(`select name from ${schema}.schema_migration order by name`);
  const known = new Set(migrationNames({ schema, directory }));
  const unknown = rows.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new MusterError({
    code: 'DATABASE_UNUSABLE',
    message: `The schema ${schema} was migrated by a newer release: ${unknown.join(', ')}.`,
    remedy: 'Run that release, or restore a backup from before it.',
  });
}

/** The names of the migrations that this release has for a schema, in order. */
export function migrationNames({ directory }: Migrations): readonly string[] {
  return readdirSync(directory)
    .map((file) => file.replace(/\.sql$/, ''))
    .sort();
}

/** The names of the migrations that a schema has had, in order; none when there is no such schema. */
export async function appliedMigrations(session: Session, { schema }: Migrations): Promise<readonly string[]> {
  const table = `${schema}.schema_migration`;
  const [present] = await session.query<{ present: boolean }>(
    { name: 'migrate.present', text: 'select to_regclass($1::text) is not null as present' },
    [table],
  );
  if (present?.present !== true) return [];
  const rows = await session.query<{ name: string }>({
    name: `migrate.applied_${schema}`,
    text: `select name from ${table} order by name`,
  });
  return rows.map(({ name }) => name);
}
