import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { countingMigrations } from '@muster/counting';
import { type Database, openDatabase, openPostgresql } from '@muster/database';
import type { PostgresqlServer } from '@muster/database/testing';
import { policyMigrations } from '@muster/licensing-policy';
import type { HostKeySecret } from '../../src/host-key-secret.ts';
import { type ExportSummary, exportSite } from '../../src/site-export.ts';
import { openExportOutput } from '../../src/site-export-output.ts';
import { importSite } from '../../src/site-import.ts';
import { openImportTarget } from '../../src/site-import-target.ts';

/** Nobody interrupts. */
export const { signal: noSignal } = new AbortController();

let databases = 0;

/** The URL of an empty database of its own on a server. */
export async function emptyDatabase(server: Pick<PostgresqlServer, 'url'>): Promise<string> {
  databases += 1;
  const name = `site_${databases}`;
  await onDatabase(server.url, (database) =>
    database.query({ name: 'test.create_database', text: `create database ${name}` }),
  );
  const url = new URL(server.url);
  url.pathname = name;
  return url.href;
}

/** Does something with a database that is opened for it: a directory or a URL. */
export async function onDatabase<Result>(
  place: string,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = await openDatabase(place);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Migrates a database as a site does that starts. */
export async function migrateSite(database: Database): Promise<void> {
  for (const migrations of [policyMigrations, countingMigrations]) await database.migrate(migrations);
}

/** Exports the site of a directory or a URL into a file. */
export function exportTo(file: string, place: string, withoutLog = false): Promise<ExportSummary> {
  return onDatabase(place, (database) =>
    exportSite({ database, place, withoutLog, nowMs: Date.now() }, openExportOutput(file), file, noSignal),
  );
}

/** Imports a file into a PostgreSQL database. */
export function importTo(url: string, file: string, secret: HostKeySecret) {
  const target = () => openImportTarget({ dataDirectory: undefined, databaseUrl: url, secret });
  return importSite(createReadStream(file), target, secret, noSignal);
}

/** The lines of an export. */
export function linesOf(file: string): string[] {
  return gunzipSync(readFileSync(file)).toString('utf8').split('\n').slice(0, -1);
}

/** The lines with rows: all but the header and the trailer. */
export function rowsOf(file: string): string[] {
  return linesOf(file).slice(1, -1);
}

/** Writes lines as an export, and what follows them. */
export function writeLines(file: string, lines: readonly string[], end = '\n'): string {
  writeFileSync(file, gzipSync(lines.join('\n') + end));
  return file;
}

/** Writes lines as an export whose trailer fits them. */
export function writeSealed(file: string, header: object, rows: readonly string[], counts: object): string {
  const lines = [JSON.stringify(header), ...rows];
  const sha256 = createHash('sha256')
    .update(`${lines.join('\n')}\n`)
    .digest('hex');
  return writeLines(file, [...lines, JSON.stringify({ end: { rows: counts, sha256 } })]);
}

/**
 * Every row of every table of a site as PostgreSQL's own text of it, by table: not by the means of the export. What
 * belongs to processes that run, and not to the site, is left out.
 */
export async function tableTexts(database: Database): Promise<Readonly<Record<string, readonly string[]>>> {
  return database.readSnapshot(async (snapshot) => {
    await snapshot.query({ name: 'test.utc', text: `set local timezone to 'UTC'` });
    const texts: Record<string, readonly string[]> = {};
    for (const { name } of await snapshot.query<{ name: string }>(siteTables)) {
      const rows = await snapshot.query<{ row: string }>({
        name: `texts ${name}`,
        text: `select (each.*)::text as row from ${name} as each order by (each.*)::text collate "C"`,
      });
      texts[name] = rows.map(({ row }) => row);
    }
    return texts;
  });
}

const siteTables = {
  name: 'test.site_tables',
  text: `
    select format('%I.%I', nspname, relname) as name
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where nspname in ('policy', 'counting') and relkind in ('r', 'p') and not relispartition
      and relname not in ('schema_migration', 'relay_lease')
    order by 1`,
};

/** The machines that stand in the count by an independent recount of the log, and those of the table. */
export async function recount(url: string): Promise<{ readonly byLog: number; readonly byMachines: number }> {
  return onDatabase(url, async (database) => {
    const [row] = await database.query<{ byLog: number; byMachines: number }>({
      name: 'test.recount',
      text: `
        select (select count(*)
                from (select distinct on (application, cmid) machine_class
                      from counting.activation_log
                      where code in ('GRANTED', 'COUNT_INSUFFICIENT')
                      order by application, cmid, id desc) as last
                where machine_class = 'physical') as "byLog",
               (select count(*) from counting.machine where raises_count) as "byMachines"`,
    });
    return row ?? { byLog: -1, byMachines: -2 };
  });
}

/** A PostgreSQL pool for a look from outside. */
export const look = (url: string) => openPostgresql({ url, connections: 1 });
