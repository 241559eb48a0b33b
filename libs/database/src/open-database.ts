import type { Database } from './database.ts';
import { openPglite } from './pglite.ts';
import { openPostgresql } from './postgresql.ts';

/**
 * Opens the database that a setting names: a PostgreSQL server by `postgres://...`, else an embedded one in that
 * directory.
 */
export function openDatabase(place: string): Promise<Database> {
  return /^postgres(ql)?:\/\//.test(place) ? openPostgresql({ url: place }) : openPglite({ directory: place });
}
