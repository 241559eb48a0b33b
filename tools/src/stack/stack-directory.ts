import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type DirectoryLock, lockDirectory } from '@muster/database';
import { MusterError } from '@muster/product-groups';
import type { Guard } from './guard.ts';

/** The directory of a stack. No other process uses it at the same time. */
export interface StackDirectory {
  readonly path: string;
  /** Gives it free, and removes it when it is a temporary one. */
  close(): void;
}

/**
 * Opens or makes the directory of a stack; a temporary one when none is named, which the guard removes in any case.
 *
 * @throws MusterError `DATA_DIRECTORY_LOCKED` or `DATA_DIRECTORY_UNUSABLE`.
 */
export function openStackDirectory(named: string | undefined, guard: Guard): StackDirectory {
  const path = named === undefined ? mkdtempSync(join(tmpdir(), 'muster-stack-')) : resolve(named);
  const temporary = named === undefined;
  if (temporary) guard.removeDirectory(path);
  const isNew = temporary || !existsSync(path);
  let lock: DirectoryLock;
  try {
    mkdirSync(join(path, 'logs'), { recursive: true });
    // PostgreSQL may run as another user, who has to get through; every secret file is closed itself.
    if (isNew) chmodSync(path, 0o711);
    lock = lockDirectory(path);
  } catch (error) {
    if (error instanceof MusterError) throw error;
    throw new MusterError({
      code: 'DATA_DIRECTORY_UNUSABLE',
      message: `The directory ${path} cannot be used: ${(error as Error).message}.`,
      cause: error,
    });
  }
  return {
    path,
    close() {
      lock.release();
      if (!temporary) return;
      rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
      guard.keepDirectory();
    },
  };
}
