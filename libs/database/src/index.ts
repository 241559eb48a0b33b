export type { Database, Migrations, Parameter } from './database.ts';
export { type DirectoryLock, lockDirectory } from './directory-lock.ts';
export { openDatabase } from './open-database.ts';
export { makeDataDirectory, openPglite, openPgliteInMemory } from './pglite.ts';
export { openPostgresql, type PostgresqlOptions } from './postgresql.ts';
export type { Statement } from './statement.ts';
