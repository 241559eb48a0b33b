import type { Readable } from 'node:stream';
import { type CarriedTable, insertRows, migrationNames, readColumns, type Session } from '@muster/database';
import { hostTable } from '@muster/licensing-policy';
import { MusterError } from '@muster/product-groups';
import { checkHostKeySecret, type HostKeySecret } from './host-key-secret.ts';
import type { RowProgress } from './site-export.ts';
import { damaged, type ExportHeader, type ExportTrailer } from './site-export-format.ts';
import { type RowPage, SiteExportFile } from './site-export-reader.ts';
import { type ImportTarget, requireEmpty } from './site-import-target.ts';
import { siteParts } from './site-parts.ts';

/** What an import found in the file. */
export interface ImportSummary extends ExportTrailer {
  readonly header: ExportHeader;
}

/** What is done with the rows of a file. */
type RowSink = (page: RowPage) => Promise<void>;

/**
 * Reads an export to its end and checks all of it: the format, the schemas, the rows' number and checksum, and, when
 * there is a secret, that it opens the host's key.
 *
 * @throws MusterError `DOCUMENT_INVALID` or `INPUT_INVALID`.
 */
export async function verifyExport(
  input: Readable,
  secret: HostKeySecret | undefined,
  signal: AbortSignal,
  onProgress: RowProgress = () => undefined,
): Promise<ImportSummary> {
  const file = await openFile(input);
  return readAll(file, secret, signal, onProgress, async () => undefined);
}

/**
 * Fills an empty site with an export: all of it, once the whole file was read and found unchanged, or nothing.
 *
 * @throws MusterError `DOCUMENT_INVALID` or `INPUT_INVALID` for the file or the secret, `SITE_NOT_EMPTY` and what
 * `openTarget` throws for the target.
 */
export async function importSite(
  input: Readable,
  openTarget: () => Promise<ImportTarget>,
  secret: HostKeySecret,
  signal: AbortSignal,
  onProgress: RowProgress = () => undefined,
): Promise<ImportSummary> {
  const file = await openFile(input);
  const target = await openTarget();
  let summary: ImportSummary;
  try {
    for (const { migrations } of siteParts) await target.database.migrate(migrations);
    summary = await target.database.transaction((session) => fill(session, file, secret, signal, onProgress));
  } catch (error) {
    await target.discard();
    throw error;
  }
  await target.accept();
  return summary;
}

async function openFile(input: Readable): Promise<SiteExportFile> {
  const file = await SiteExportFile.open(input);
  for (const { migrations } of siteParts) {
    const last = file.header.schemas[migrations.schema];
    if (last !== undefined && migrationNames(migrations).includes(last)) continue;
    throw new MusterError({
      code: 'DOCUMENT_INVALID',
      message: `The export was made by a newer release: its schema ${migrations.schema} ends with ${last}.`,
      remedy: 'Import it with that release, or a newer one.',
    });
  }
  return file;
}

async function fill(
  session: Session,
  file: SiteExportFile,
  secret: HostKeySecret,
  signal: AbortSignal,
  onProgress: RowProgress,
): Promise<ImportSummary> {
  const tables = new Map(
    siteParts.flatMap((part) => part.tables({ withoutLog: false })).map((each) => [each.name, each]),
  );
  await session.query({
    name: 'site.lock_for_import',
    text: `lock table ${[...tables.keys()].join(', ')} in access exclusive mode`,
  });
  await requireEmpty(session, 'the database');
  const columns = await matchColumns(session, file.header, tables);
  for (const part of siteParts) await part.clear(session);
  const summary = await readAll(file, secret, signal, onProgress, async ({ table: name, rows }) => {
    const table = tables.get(name);
    if (table === undefined) throw new Error(`the table ${name} was not checked`);
    try {
      await insertRows(session, table, columns.get(name) ?? [], rows);
    } catch (error) {
      if (error instanceof MusterError) throw error;
      throw damaged(`A row of ${name} in the file does not fit: ${(error as Error).message}`, error);
    }
  });
  for (const part of siteParts) await part.finish(session);
  return summary;
}

/** What the file has must have a place here; what it lacks gets its default. */
async function matchColumns(
  session: Session,
  header: ExportHeader,
  tables: ReadonlyMap<string, CarriedTable>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const matched = new Map<string, readonly string[]>();
  for (const { name, columns } of header.tables) {
    const table = tables.get(name);
    const present = table === undefined ? [] : await readColumns(session, table);
    const unknown = columns.find((column) => !present.includes(column));
    if (unknown !== undefined) throw damaged(`This release has no place for ${name}.${unknown} of the file`);
    matched.set(name, columns);
  }
  return matched;
}

/** Hands every row to the sink, and the end of the file is its proof. The host comes first, so a wrong secret is found early. */
async function readAll(
  file: SiteExportFile,
  secret: HostKeySecret | undefined,
  signal: AbortSignal,
  onProgress: RowProgress,
  sink: RowSink,
): Promise<ImportSummary> {
  const counts = new Map<string, number>();
  const pages = file.pages();
  let next = await pages.next();
  for (; !next.done; next = await pages.next()) {
    signal.throwIfAborted();
    const { table, rows } = next.value;
    const [host] = rows;
    if (table === hostTable && host !== undefined && secret !== undefined) checkHostKeySecret(host, secret);
    await sink(next.value);
    counts.set(table, (counts.get(table) ?? 0) + rows.length);
    onProgress(table, counts.get(table) ?? 0);
  }
  if (next.value.rows[hostTable] !== 1) throw damaged('The file has no host');
  return { header: file.header, ...next.value };
}
