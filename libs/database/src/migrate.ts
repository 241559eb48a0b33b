import { readdirSync } from 'node:fs';
import { MusterError } from '@muster/product-groups';
import type { ClientBase } from 'pg';
import type { Migrations } from './database.ts';

/** What node-pg-migrate uses of a `pg` client. */
export type MigrationClient = Pick<ClientBase, 'query'>;

/**
 * Applies the pending migrations of one service by node-pg-migrate.
 *
 * The runner holds an advisory lock meanwhile, so that of several replicas one migrates and the others wait.
 *
 * @returns the names of the applied migrations, in order.
 * @throws MusterError `DATABASE_UNUSABLE` when a newer release has migrated the schema.
 */
export async function runMigrations(client: MigrationClient, migrations: Migrations): Promise<readonly string[]> {
  const { runner } = await import('node-pg-migrate');
  const applied = await runner({
    dbClient: client as ClientBase,
    dir: migrations.directory,
    schema: migrations.schema,
    createSchema: true,
    migrationsTable: 'schema_migration',
    migrationsSchema: migrations.schema,
    direction: 'up',
    advisoryLockMode: 'wait',
    logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  await refuseUnknown(client, migrations);
  return applied.map((migration) => migration.name);
}

/** A schema that a newer release has migrated may not mean what this one takes it for. */
async function refuseUnknown(client: MigrationClient, { schema, directory }: Migrations): Promise<void> {
  const { rows } = await client.query<{ name: string }>(`select name from ${schema}.schema_migration order by name`);
  const known = new Set(readdirSync(directory).map((file) => file.replace(/\.sql$/, '')));
  const unknown = rows.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new MusterError({
    code: 'DATABASE_UNUSABLE',
    message: `The schema ${schema} was migrated by a newer release: ${unknown.join(', ')}.`,
    remedy: 'Run that release, or restore a backup from before it.',
  });
}
