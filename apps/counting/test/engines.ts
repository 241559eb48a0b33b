import { type Database, openPgliteInMemory, openPostgresql } from '@muster/database';
import { startPostgresql } from '@muster/database/testing';

/** A database of a test's own, empty. */
export interface TestDatabase {
  readonly database: Database;
  /** Another handle on the same database, as another replica has. On PGlite, which serves one process, the same one. */
  another(): Promise<Database>;
  stop(): Promise<void>;
}

/** A PostgreSQL server for one test or file. */
export async function openPostgresqlForTest(): Promise<TestDatabase & { readonly url: string }> {
  const server = await startPostgresql();
  const open = () => openPostgresql({ url: server.url });
  const database = await open();
  const opened = [database];
  return {
    url: server.url,
    database,
    async another() {
      const more = await open();
      opened.push(more);
      return more;
    },
    async stop() {
      for (const each of opened) await each.close();
      server.stop();
    },
  };
}

/** Both engines that Muster runs on (DESIGN 4.2). */
export const engines: Readonly<Record<string, () => Promise<TestDatabase>>> = {
  PGlite: async () => {
    const database = await openPgliteInMemory();
    return { database, another: async () => database, stop: () => database.close() };
  },
  PostgreSQL: openPostgresqlForTest,
};
