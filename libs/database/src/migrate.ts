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
  return applied.map((migration) => migration.name);
}
