export type { Database, Migrations, Parameter, Session, Snapshot } from './database.ts';
export { type DirectoryLock, lockDirectory } from './directory-lock.ts';
export { appliedMigrations, migrationNames } from './migrate.ts';
export { openDatabase } from './open-database.ts';
export { makeDataDirectory, openPglite, openPgliteInMemory } from './pglite.ts';
export { openPostgresql, type PostgresqlOptions } from './postgresql.ts';
export type { Statement } from './statement.ts';
export { type CarriedTable, holdTables, insertRows, readColumns, readRows } from './table-rows.ts';
