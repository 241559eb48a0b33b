import { createHash } from 'node:crypto';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import {
  damaged,
  type ExportHeader,
  type ExportTrailer,
  parseHeader,
  parseTrailer,
  rowPrefix,
  trailerPrefix,
} from './site-export-format.ts';

/** Some rows of one table, as JSON texts. */
export interface RowPage {
  readonly table: string;
  readonly rows: readonly string[];
}

const rowsPerPage = 1_000;
/** Larger rows, such as catalogues, make smaller pages. */
const bytesPerPage = 1024 * 1024;
/** No row of a site comes near it; a file that is none must not fill the memory. */
const longestLine = 32 * 1024 * 1024;
const lineFeed = 10;

/** A file of a whole site that is read once, from its beginning to its end, a page at a time. */
export class SiteExportFile {
  readonly header: ExportHeader;
  readonly #lines: AsyncIterator<Buffer>;
  readonly #hash = createHash('sha256');

  private constructor(header: ExportHeader, headerLine: Buffer, lines: AsyncIterator<Buffer>) {
    this.header = header;
    this.#lines = lines;
    this.#hash.update(headerLine);
  }

  /**
   * Reads the header.
   *
   * @throws MusterError `DOCUMENT_INVALID` when it is no export of a site, or one that this release does not read.
   */
  static async open(input: Readable): Promise<SiteExportFile> {
    const lines = splitLines(unzip(input));
    const first = await lines.next();
    if (first.done) throw damaged('The file is empty');
    return new SiteExportFile(parseHeader(first.value.toString('utf8')), first.value, lines);
  }

  /**
   * The rows in the order of the file.
   *
   * @returns when all of the file was there and unchanged: what it told of itself.
   * @throws MusterError `DOCUMENT_INVALID` otherwise.
   */
  async *pages(): AsyncGenerator<RowPage, ExportTrailer> {
    const tables = this.header.tables.map(({ name }) => ({ name, prefix: Buffer.from(rowPrefix(name)) }));
    const counts = new Map(tables.map(({ name }) => [name, 0]));
    let page: string[] = [];
    let pageBytes = 0;
    let current = 0;
    let lineNumber = 1;
    for (;;) {
      const next = await this.#lines.next();
      if (next.done) throw damaged('The file is cut: its last line is missing');
      const line = next.value;
      lineNumber += 1;
      const isTrailer = startsWith(line, trailerBytes);
      let table = tables[current];
      const isNext = table === undefined || !startsWith(line, table.prefix);
      if (page.length > 0 && (isNext || page.length === rowsPerPage || pageBytes >= bytesPerPage)) {
        yield { table: table?.name ?? '', rows: page };
        page = [];
        pageBytes = 0;
      }
      if (isTrailer) return await this.#end(line, counts);
      while (table !== undefined && !startsWith(line, table.prefix)) {
        current += 1;
        table = tables[current];
      }
      if (table === undefined) throw damaged(`Line ${lineNumber} of the file is not a row of a table of its header`);
      this.#hash.update(line);
      counts.set(table.name, (counts.get(table.name) ?? 0) + 1);
      // The row ends before the closing brace and the line feed.
      page.push(line.toString('utf8', table.prefix.length, line.length - 2));
      pageBytes += line.length;
    }
  }

  async #end(line: Buffer, counts: ReadonlyMap<string, number>): Promise<ExportTrailer> {
    const trailer = parseTrailer(line.toString('utf8'));
    if (trailer.sha256 !== this.#hash.digest('hex')) {
      throw damaged('The file was changed after it was written: its checksum does not fit');
    }
    for (const [name, count] of counts) {
      if (trailer.rows[name] !== count) {
        throw damaged(`The file has ${count} rows of ${name} and says it has ${trailer.rows[name]}`);
      }
    }
    if (!(await this.#lines.next()).done) throw damaged('The file goes on after its last line');
    return trailer;
  }
}

const trailerBytes = Buffer.from(trailerPrefix);

function startsWith(line: Buffer, prefix: Buffer): boolean {
  return line.length >= prefix.length && line.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}

async function* unzip(input: Readable): AsyncGenerator<Buffer> {
  // An error of the input comes out of the last stream of the pipeline.
  const unzipped = pipeline(input, createGunzip({ chunkSize: 256 * 1024 }), () => undefined);
  try {
    yield* unzipped;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR') throw damaged('The file is cut: it ends in the middle', error);
    if (code.startsWith('Z_')) {
      throw damaged(`The file is damaged, or not an export of a site: ${(error as Error).message}`, error);
    }
    throw error;
  }
}

/** The lines, each with its line feed. */
async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      const rest = chunk.subarray(start, end + 1);
      yield parts.length === 0 ? rest : Buffer.concat([...parts, rest]);
      parts = [];
      held = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    held += chunk.length - start;
    if (held > longestLine) throw damaged('The file is not an export of a site: a line of it does not end');
  }
  if (parts.length > 0) throw damaged('The file is cut: its last line does not end');
}
