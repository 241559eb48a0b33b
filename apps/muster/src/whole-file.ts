import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { MusterError } from '@muster/product-groups';

/**
 * Writes a file that its owner alone may read, whole or not at all: a process that is killed leaves the old one. Makes
 * its directory when it is missing.
 *
 * @throws MusterError `OUTPUT_UNWRITABLE`.
 */
export function writeWholeFile(path: string, content: string): void {
  const beside = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(beside, content, { mode: 0o600, flush: true });
    renameSync(beside, path);
  } catch (error) {
    discard(beside);
    const message = `${path} cannot be written: ${(error as Error).message}.`;
    throw new MusterError({ code: 'OUTPUT_UNWRITABLE', message, cause: error });
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Where nothing can be written, there is nothing to remove.
  }
}
