import { MusterError } from '@muster/product-groups';

/**
 * The file of a whole site, version 1 (docs/backup.md): lines of JSON in gzip. The first line is the header, then one
 * line a row, table after table in the order of the header, then the trailer, which tells whether all of it arrived.
 */
export const formatName = 'muster-site';
export const formatVersion = 1;

/** A table of the file and the columns that each of its rows has. */
export interface ExportedTable {
  readonly name: string;
  readonly columns: readonly string[];
}

/** The first line. */
export interface ExportHeader {
  readonly format: typeof formatName;
  readonly version: typeof formatVersion;
  /** The release that wrote the file. */
  readonly musterVersion: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** UUID. */
  readonly hostId: string;
  /** The last migration of each schema. */
  readonly schemas: Readonly<Record<string, string>>;
  /** Whether log rows that were published already have been left out. */
  readonly withoutLog: boolean;
  readonly tables: readonly ExportedTable[];
}

/** The last line. */
export interface ExportTrailer {
  /** Rows of each table. */
  readonly rows: Readonly<Record<string, number>>;
  /** SHA-256 over every byte before this line, hexadecimal. */
  readonly sha256: string;
}

/** What a line with a row of a table begins with; the row and a brace follow. */
export function rowPrefix(table: string): string {
  return `{"table":${JSON.stringify(table)},"row":`;
}

/** What the trailer begins with. */
export const trailerPrefix = '{"end":';

export function formatTrailer(trailer: ExportTrailer): string {
  return `${trailerPrefix}${JSON.stringify(trailer)}}`;
}

/**
 * Reads a header.
 *
 * @throws MusterError `DOCUMENT_INVALID` when it is none, or of a version that this release does not read.
 */
export function parseHeader(line: string): ExportHeader {
  const header = parseJson(line) as Partial<Record<keyof ExportHeader, unknown>> | undefined;
  if (header?.format !== formatName) throw damaged('The file is not an export of a site');
  if (header.version !== formatVersion) {
    throw new MusterError({
      code: 'DOCUMENT_INVALID',
      message: `The file has version ${String(header.version)} of the format, and this release reads version ${formatVersion}.`,
      remedy: 'Import it with the release that wrote it, or a newer one.',
    });
  }
  const { musterVersion, createdAt, hostId, schemas, withoutLog, tables } = header;
  const complete =
    [musterVersion, createdAt, hostId].every((value) => typeof value === 'string') &&
    typeof withoutLog === 'boolean' &&
    isRecordOf('string', schemas) &&
    Array.isArray(tables) &&
    tables.every(isTable);
  if (!complete) throw damaged('The header of the file is incomplete');
  return header as ExportHeader;
}

/** @throws MusterError `DOCUMENT_INVALID`. */
export function parseTrailer(line: string): ExportTrailer {
  const trailer = (parseJson(line) as { readonly end?: Partial<ExportTrailer> } | undefined)?.end;
  if (typeof trailer?.sha256 !== 'string' || !isRecordOf('number', trailer.rows)) {
    throw damaged('The last line of the file is damaged');
  }
  return trailer as ExportTrailer;
}

/** The file cannot be used. @param what a sentence without its period. */
export function damaged(what: string, cause?: unknown): MusterError {
  return new MusterError({
    code: 'DOCUMENT_INVALID',
    message: `${what}.`,
    remedy: 'Nothing was imported; take another copy of the file, or another export.',
    cause,
  });
}

function isTable(value: unknown): value is ExportedTable {
  const { name, columns } = (value ?? {}) as Partial<Record<keyof ExportedTable, unknown>>;
  return (
    typeof name === 'string' &&
    Array.isArray(columns) &&
    columns.length > 0 &&
    columns.every((column) => typeof column === 'string')
  );
}

function isRecordOf(type: 'string' | 'number', value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every((each) => typeof each === type);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
