import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type CarriedTable, type Database, holdTables, readColumns, readRows, type Snapshot } from '@muster/database';
import { hostTable } from '@muster/licensing-policy';
import { MusterError } from '@muster/product-groups';
import {
  type ExportedTable,
  type ExportHeader,
  type ExportTrailer,
  formatName,
  formatTrailer,
  formatVersion,
  rowPrefix,
} from './site-export-format.ts';
import { type ExportOutput, outputFailed } from './site-export-output.ts';
import { requireSchemas, siteParts } from './site-parts.ts';
import { musterVersion } from './version.ts';

/** What is told while rows go by: a table and how many rows of it there were so far. */
export type RowProgress = (table: string, rows: number) => void;

/** How a site is exported. */
export interface ExportOptions {
  readonly database: Database;
  /** What people call the database. */
  readonly place: string;
  readonly withoutLog: boolean;
  readonly nowMs: number;
  readonly onProgress?: RowProgress;
}

/** What an export holds. */
export interface ExportSummary extends ExportTrailer {
  readonly header: ExportHeader;
  /** Of the compressed file. */
  readonly bytes: number;
}

/**
 * Writes a whole site as it is at one moment (docs/backup.md). A site on PostgreSQL goes on working meanwhile.
 *
 * @throws MusterError `DATABASE_UNUSABLE` when there is no site, `OUTPUT_UNWRITABLE`, or the reason of the signal.
 */
export async function exportSite(
  options: ExportOptions,
  output: ExportOutput,
  outputName: string,
  signal: AbortSignal,
): Promise<ExportSummary> {
  const { database, place } = options;
  const schemas = await requireSchemas(database, place);
  try {
    const summary = await database.readSnapshot(async (snapshot) => {
      const result: { summary?: Omit<ExportSummary, 'bytes'> } = {};
      let bytes = 0;
      async function* counted(compressed: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
        for await (const chunk of compressed) {
          bytes += chunk.length;
          yield chunk;
        }
      }
      const chunks = Readable.from(exportChunks(snapshot, options, schemas, result), { objectMode: true });
      await pipeline(chunks, createGzip(), counted, output.stream, { signal, end: output.ends });
      if (result.summary === undefined) throw new Error('the export ended before its trailer');
      return { ...result.summary, bytes };
    });
    await output.finish();
    return summary;
  } catch (error) {
    output.discard();
    // The database has errors of its own: only the output speaks to the operating system here.
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : outputFailed(outputName, error);
  }
}

async function* exportChunks(
  snapshot: Snapshot,
  options: ExportOptions,
  schemas: ExportHeader['schemas'],
  result: { summary?: Omit<ExportSummary, 'bytes'> },
): AsyncIterable<Buffer> {
  const tables = siteParts.flatMap((part) => part.tables(options));
  await holdTables(snapshot, tables);
  const header: ExportHeader = {
    format: formatName,
    version: formatVersion,
    musterVersion,
    createdAt: new Date(options.nowMs).toISOString(),
    hostId: await readHostId(snapshot, tables, options.place),
    schemas,
    withoutLog: options.withoutLog,
    tables: await describeTables(snapshot, tables),
  };
  const hash = createHash('sha256');
  const hashed = (text: string) => {
    const chunk = Buffer.from(text);
    hash.update(chunk);
    return chunk;
  };
  yield hashed(`${JSON.stringify(header)}\n`);
  const counts: Record<string, number> = {};
  for (const [index, table] of tables.entries()) {
    const prefix = rowPrefix(table.name);
    let count = 0;
    for await (const rows of readRows(snapshot, table, header.tables[index]?.columns ?? [])) {
      yield hashed(rows.map((row) => `${prefix}${row}}\n`).join(''));
      count += rows.length;
      options.onProgress?.(table.name, count);
    }
    counts[table.name] = count;
  }
  const trailer = { rows: counts, sha256: hash.digest('hex') };
  yield Buffer.from(`${formatTrailer(trailer)}\n`);
  result.summary = { header, ...trailer };
}

async function readHostId(snapshot: Snapshot, tables: readonly CarriedTable[], place: string): Promise<string> {
  const table = tables.find(({ name }) => name === hostTable);
  if (table === undefined) throw new Error('the host is not exported');
  for await (const [row] of readRows(snapshot, table, ['host_id'])) {
    if (row !== undefined) return (JSON.parse(row) as { host_id: string }).host_id;
  }
  throw new MusterError({
    code: 'DATABASE_UNUSABLE',
    message: `There is no site in ${place}: it has no host yet.`,
    remedy: 'Start the site once, or name another data directory or database.',
  });
}

async function describeTables(snapshot: Snapshot, tables: readonly CarriedTable[]): Promise<readonly ExportedTable[]> {
  const described: ExportedTable[] = [];
  for (const table of tables) described.push({ name: table.name, columns: await readColumns(snapshot, table) });
  return described;
}
