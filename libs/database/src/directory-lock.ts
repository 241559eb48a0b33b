import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MusterError } from '@muster/product-groups';

/** A held lock. The kernel releases it when the process ends, however it ends. */
export interface DirectoryLock {
  release(): void;
}

const busyErrorCode = 5; // SQLITE_BUSY

/** Keeps what is held from the garbage collector, which would close it and so give the directory away. */
const heldLocks = new Set<object>();

/**
 * Makes this process the only one that uses a data directory.
 *
 * Two processes on one PGlite directory destroy it, and PGlite takes no lock itself. The lock is an exclusive SQLite
 * transaction on `lock.db` in the directory: an operating system's file lock, so that nothing is left behind by
 * `kill -9` and containers that share a volume exclude each other too (docs/decisions/0006-directory-lock.md).
 *
 * @throws MusterError `DATA_DIRECTORY_LOCKED` when another process holds it, `DATA_DIRECTORY_UNUSABLE` when the lock
 * file cannot be written.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const holderFile = join(directory, 'lock.holder');
  const { DatabaseSync } = loadSqlite();
  let handle: InstanceType<typeof DatabaseSync> | undefined;
  try {
    handle = new DatabaseSync(join(directory, 'lock.db'), { timeout: 0 });
    handle.exec('BEGIN EXCLUSIVE');
    writeFileSync(holderFile, `${process.pid}\n`);
  } catch (error) {
    if (handle?.isOpen) handle.close();
    if ((error as { errcode?: number }).errcode === busyErrorCode) {
      throw new MusterError({
        code: 'DATA_DIRECTORY_LOCKED',
        message: `The data directory ${directory} is in use by ${describeHolder(holderFile)}.`,
        remedy: 'Stop that process, or give this one another data directory.',
        cause: error,
      });
    }
    throw new MusterError({
      code: 'DATA_DIRECTORY_UNUSABLE',
      message: `The data directory ${directory} cannot be locked: ${(error as Error).message}.`,
      remedy: 'Make it writable for this user, or choose another one.',
      cause: error,
    });
  }
  const held = handle;
  heldLocks.add(held);
  return {
    release() {
      held.close();
      heldLocks.delete(held);
    },
  };
}

function describeHolder(holderFile: string): string {
  try {
    return `process ${readFileSync(holderFile, 'utf8').trim()}`;
  } catch {
    return 'another process';
  }
}

/** Node 24 still warns that its SQLite is a release candidate; an administrator can do nothing with that line. */
function loadSqlite(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => undefined;
  try {
    return createRequire(import.meta.url)('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}
