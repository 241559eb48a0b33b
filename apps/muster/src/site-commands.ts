import { createReadStream, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { openDatabase } from '@muster/database';
import { MusterError } from '@muster/product-groups';
import { systemClock } from '@muster/service-kit';
import { type HostKeySecret, keptHostKeySecret, namedHostKeySecret } from './host-key-secret.ts';
import { exitCodes, print, printJson, say, sayError } from './output.ts';
import { defaultDataDirectory, hostKeySecretFile } from './paths.ts';
import { type ExportSummary, exportSite } from './site-export.ts';
import { openExportOutput } from './site-export-output.ts';
import { type ImportSummary, importSite, verifyExport } from './site-import.ts';
import { explainLock, openImportTarget } from './site-import-target.ts';
import { SiteProgress } from './site-progress.ts';
import { table } from './table.ts';

/** The options of `muster site export`, parsed. */
export interface SiteExportOptions {
  readonly data?: string | undefined;
  readonly database?: string | undefined;
  /** `-` for standard output. */
  readonly output: string;
  readonly withoutLog: boolean;
  readonly json: boolean;
}

/** The options of `muster site import`, parsed. */
export interface SiteImportOptions {
  readonly data?: string | undefined;
  readonly database?: string | undefined;
  readonly hostKeySecretFile?: string | undefined;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/**
 * Exports a site and says what the file holds: on standard output, or on standard error when the data goes there.
 *
 * @returns the exit code.
 * @throws MusterError when there is no site, or it cannot be read or written.
 */
export function runExport(options: SiteExportOptions): Promise<number> {
  return untilInterrupted('The export was interrupted; no file was made.', async (signal) => {
    const dataDirectory = resolve(options.data ?? defaultDataDirectory());
    if (options.json && options.output === '-') {
      throw new MusterError({
        code: 'INPUT_INVALID',
        message: 'Standard output cannot take the export and the JSON document.',
        remedy: 'Name a file by --output FILE.',
      });
    }
    if (options.database === undefined) requireEmbedded(dataDirectory);
    const place = options.database === undefined ? dataDirectory : 'the database';
    const output = openExportOutput(options.output);
    const database = await openDatabase(options.database ?? dataDirectory).catch((error) => {
      output.discard();
      return explainLock(error, 'Stop `muster serve` first; only a site on PostgreSQL can be exported while it runs.');
    });
    const progress = new SiteProgress();
    try {
      const { withoutLog } = options;
      const nowMs = systemClock.nowMs();
      const parts = { database, place, withoutLog, nowMs, onProgress: progress.step };
      const summary = await exportSite(parts, output, options.output, signal);
      progress.end();
      report(options, summary, { file: options.output === '-' ? null : resolve(options.output), bytes: summary.bytes });
      if (!options.json) {
        say(`Keep ${secretOf(options, dataDirectory)} too, apart from it: without it the export cannot be imported.`);
      }
    } finally {
      await database.close();
    }
    return exitCodes.success;
  });
}

/**
 * Imports a site, or only checks the file.
 *
 * @returns the exit code: 2 when the file or the secret is wrong.
 * @throws MusterError when the target cannot be used.
 */
export function runImport(file: string, options: SiteImportOptions): Promise<number> {
  return untilInterrupted('The import was interrupted; nothing was imported.', async (signal) => {
    const dataDirectory = resolve(options.data ?? defaultDataDirectory());
    const progress = new SiteProgress();
    try {
      const secret = findSecret(options, dataDirectory);
      const input = addAbortSignal(signal, file === '-' ? process.stdin : createReadStream(file));
      let summary: ImportSummary;
      if (options.dryRun) {
        summary = await verifyExport(input, secret, signal, progress.step);
      } else {
        if (secret === undefined) throw secretMissing(dataDirectory);
        const isDatabaseAlone = options.database !== undefined && options.data === undefined;
        const target = {
          dataDirectory: isDatabaseAlone ? undefined : dataDirectory,
          databaseUrl: options.database,
          secret,
        };
        summary = await importSite(input, () => openImportTarget(target), secret, signal, progress.step);
      }
      progress.end();
      report(options, summary, { dryRun: options.dryRun, hostKeySecretFile: secret?.path ?? null });
      if (!options.json) sayNext(options, dataDirectory, secret);
      return exitCodes.success;
    } catch (error) {
      progress.end();
      const failure = isFileError(error) ? fileUnreadable(file, error) : error;
      if (!isInputError(failure)) throw failure;
      sayError(failure);
      return exitCodes.usage;
    }
  });
}

/** The secret that was named, else that of the data directory; a check alone looks only where it was told to. */
function findSecret(options: SiteImportOptions, dataDirectory: string): HostKeySecret | undefined {
  if (options.hostKeySecretFile !== undefined) return namedHostKeySecret(options.hostKeySecretFile);
  if (options.dryRun && options.data === undefined) return undefined;
  return keptHostKeySecret(dataDirectory);
}

/** Runs a command that Ctrl-C and SIGTERM end in good order. */
async function untilInterrupted(message: string, run: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
  try {
    return await run(interrupted.signal);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    say(message);
    return exitCodes.interrupted;
  }
}

function requireEmbedded(dataDirectory: string): void {
  if (existsSync(join(dataDirectory, 'pglite', 'PG_VERSION'))) return;
  throw new MusterError({
    code: 'DATA_DIRECTORY_UNUSABLE',
    message: `There is no embedded database in ${dataDirectory}.`,
    remedy: 'Name the data directory of the site by --data, or its PostgreSQL by --database.',
  });
}

function report(
  options: { readonly output?: string; readonly json: boolean },
  { header, rows, sha256 }: ExportSummary | ImportSummary,
  more: Readonly<Record<string, unknown>>,
): void {
  const { hostId, createdAt, musterVersion, withoutLog } = header;
  if (options.json) {
    printJson({ ...more, hostId, createdAt, musterVersion, withoutLog, rows, sha256 });
    return;
  }
  const tell = options.output === '-' ? say : print;
  const what = withoutLog ? ', without the log that was published' : '';
  tell(`Site of the host ${hostId} at ${createdAt}${what}.`);
  tell(
    table(
      ['table', 'rows'],
      Object.entries(rows).map(([name, count]) => [name, count.toLocaleString('en')]),
    ),
  );
}

function secretOf(
  options: { readonly data?: string | undefined; readonly database?: string | undefined },
  directory: string,
) {
  const onlyDatabase = options.database !== undefined && options.data === undefined;
  return onlyDatabase ? "the host's secret file" : hostKeySecretFile(directory);
}

function sayNext(options: SiteImportOptions, dataDirectory: string, secret: HostKeySecret | undefined): void {
  if (options.dryRun) {
    if (secret === undefined)
      say('The file is whole. Whether a secret file fits was not checked: none was named or found.');
    else say(`The file is whole, and ${secret.path} opens its host key. Nothing was imported.`);
  } else if (options.database === undefined) {
    say(`The site is in ${dataDirectory}. Start it with \`muster serve --data ${dataDirectory}\`.`);
  } else {
    say('The site is in the database. Its services need the secret file: licensing-policy by');
    say('MUSTER_POLICY_HOST_KEY_SECRET_FILE, `muster serve --database` as host-key.secret in its data directory.');
  }
}

function secretMissing(dataDirectory: string): MusterError {
  return new MusterError({
    code: 'INPUT_INVALID',
    message: `The secret file of the site is missing: there is no ${hostKeySecretFile(dataDirectory)}.`,
    remedy: 'Name the host-key.secret of the site that was exported by --host-key-secret-file; an export has it not.',
  });
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  const { syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return !(error instanceof MusterError) && (syscall === 'open' || syscall === 'read');
}

function fileUnreadable(file: string, cause: Error): MusterError {
  return new MusterError({
    code: 'INPUT_INVALID',
    message: `${file} cannot be read: ${cause.message}.`,
    remedy: 'Name the file of an export, or - for standard input.',
    cause,
  });
}

/** Whether what was handed over is to blame, and not where it was to go. */
function isInputError(error: unknown): error is MusterError {
  return error instanceof MusterError && (error.code === 'INPUT_INVALID' || error.code === 'DOCUMENT_INVALID');
}
