import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  appliedMigrations,
  type Database,
  lockDirectory,
  makeDataDirectory,
  openPglite,
  openPostgresql,
  type Session,
} from '@muster/database';
import { MusterError } from '@muster/product-groups';
import { type HostKeySecret, keepHostKeySecret } from './host-key-secret.ts';
import { siteParts } from './site-parts.ts';

/** An empty site that an import fills. */
export interface ImportTarget {
  /** What is filled. */
  readonly database: Database;
  /** Makes what was filled the site. */
  accept(): Promise<void>;
  /** Leaves nothing of it behind. */
  discard(): Promise<void>;
}

/** Where a site is imported to. */
export interface TargetOptions {
  /** Of the site; undefined when the site is a database alone, whose services keep the secret somewhere else. */
  readonly dataDirectory: string | undefined;
  /** `postgres://...` instead of the embedded database. */
  readonly databaseUrl: string | undefined;
  /** Goes into the data directory. */
  readonly secret: HostKeySecret;
}

/**
 * Opens an empty site.
 *
 * On PostgreSQL one transaction makes the import whole. The embedded database is filled in a directory beside its
 * place and moved there at the end: PGlite does not flush what an explicit transaction has done (DESIGN 7).
 *
 * @throws MusterError `SITE_NOT_EMPTY`, `DATA_DIRECTORY_LOCKED`, or what stands in the way of the database.
 */
export function openImportTarget({ dataDirectory, databaseUrl, secret }: TargetOptions): Promise<ImportTarget> {
  if (databaseUrl !== undefined) return openServed(databaseUrl, dataDirectory, secret);
  if (dataDirectory === undefined) throw new Error('an embedded site has a data directory');
  return openEmbedded(dataDirectory, secret);
}

/** @throws MusterError `SITE_NOT_EMPTY`. */
export async function requireEmpty(session: Session, place: string): Promise<void> {
  const contents: string[] = [];
  for (const part of siteParts) {
    if ((await appliedMigrations(session, part.migrations)).length > 0)
      contents.push(...(await part.contents(session)));
  }
  if (contents.length === 0) return;
  throw new MusterError({
    code: 'SITE_NOT_EMPTY',
    message: `The site in ${place} has ${new Intl.ListFormat('en').format(contents)} of its own.`,
  });
}

async function openServed(
  url: string,
  dataDirectory: string | undefined,
  secret: HostKeySecret,
): Promise<ImportTarget> {
  const undo: (() => void)[] = [];
  const closers: (() => Promise<void> | void)[] = [];
  const accept = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  const discard = async () => {
    for (const step of undo.splice(0).reverse()) step();
    await accept();
  };
  try {
    if (dataDirectory !== undefined) {
      if (!existsSync(dataDirectory)) undo.push(() => rmSync(dataDirectory, { recursive: true, force: true }));
      makeDataDirectory(dataDirectory);
      // A site that runs on this directory would go on with the host that it knows.
      const lock = lockSite(dataDirectory);
      closers.push(() => lock.release());
    }
    const database = await openPostgresql({ url });
    closers.push(() => database.close());
    await requireEmpty(database, 'the database');
    if (dataDirectory !== undefined) undo.push(keepHostKeySecret(dataDirectory, secret));
    return { database, accept, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

async function openEmbedded(dataDirectory: string, secret: HostKeySecret): Promise<ImportTarget> {
  const place = join(dataDirectory, 'pglite');
  if (existsSync(join(place, 'PG_VERSION'))) await requireEmptyDirectory(dataDirectory);
  const staging = join(dataDirectory, 'site-import');
  const filled = join(staging, 'pglite');
  const undo: (() => void)[] = [];
  const giveUp = () => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    if (!existsSync(dataDirectory)) undo.push(() => rmSync(dataDirectory, { recursive: true, force: true }));
    makeDataDirectory(dataDirectory);
    const lock = lockSite(dataDirectory);
    undo.push(() => lock.release());
    undo.push(keepHostKeySecret(dataDirectory, secret));
    rmSync(staging, { recursive: true, force: true }); // of an import that was killed
    undo.push(() => rmSync(staging, { recursive: true, force: true }));
    const database = await openPglite({ directory: staging });
    return {
      database,
      async accept() {
        try {
          await database.close();
          flushTree(filled);
          // The empty one makes room first. Killed in between, the directory is one without a site.
          if (existsSync(place)) renameSync(place, join(staging, 'empty'));
          renameSync(filled, place);
        } catch (error) {
          giveUp();
          throw error;
        }
        flush(dataDirectory);
        rmSync(staging, { recursive: true, force: true });
        lock.release();
      },
      async discard() {
        await database.close();
        giveUp();
      },
    };
  } catch (error) {
    giveUp();
    throw error;
  }
}

async function requireEmptyDirectory(dataDirectory: string): Promise<void> {
  const database = await openPglite({ directory: dataDirectory }).catch((error) => explainLock(error, stopFirst));
  try {
    await requireEmpty(database, dataDirectory);
  } finally {
    await database.close();
  }
}

function lockSite(dataDirectory: string) {
  try {
    return lockDirectory(dataDirectory);
  } catch (error) {
    return explainLock(error, stopFirst);
  }
}

const stopFirst = 'Stop `muster serve` first: a site that runs cannot be filled.';

/** The lock of a data directory is held by a site that runs: says what to do about it. */
export function explainLock(error: unknown, remedy: string): never {
  if (!(error instanceof MusterError) || error.code !== 'DATA_DIRECTORY_LOCKED') throw error;
  throw new MusterError({
    code: error.code,
    message: error.message,
    remedy,
    cause: error,
  });
}

/** PGlite leaves its files to the operating system's memory; what takes the place of a site has to be on the disk. */
function flushTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) flushTree(path);
    else if (entry.isFile()) flush(path);
  }
  flush(directory);
}

function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
