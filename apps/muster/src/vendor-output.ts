import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { MusterError } from '@muster/product-groups';

/** A file that a secret is going to be written to. */
export interface SecretFile {
  /** Writes it to the disk. @throws MusterError `OUTPUT_UNWRITABLE`. */
  write(content: string): void;
  /** Leaves no file behind. */
  discard(): void;
}

/**
 * Makes a new file that its owner alone may read. It is made before there is a secret, so that one that can be had only
 * once is not lost to a name that cannot be written.
 *
 * @throws MusterError `OUTPUT_UNWRITABLE`, also when there is a file of this name: it may hold another secret.
 */
export function openSecretFile(path: string): SecretFile {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    throw unwritable(path, error, 'Name a file that is not there yet, in a directory that this user may write.');
  }
  return {
    write(content) {
      try {
        writeFileSync(file, content);
        fsyncSync(file);
        closeSync(file);
      } catch (error) {
        throw unwritable(path, error);
      }
    },
    discard() {
      closeSync(file);
      rmSync(path, { force: true });
    },
  };
}

/**
 * Writes a file that is no secret, whole or not at all; one of the same name is replaced.
 *
 * @throws MusterError `OUTPUT_UNWRITABLE`.
 */
export function writePublicFile(path: string, content: string): void {
  const beside = `${path}.${process.pid}.new`;
  try {
    writeFileSync(beside, content, { flag: 'wx', flush: true });
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown, remedy?: string): MusterError {
  return new MusterError({
    code: 'OUTPUT_UNWRITABLE',
    message: `${path} cannot be written: ${(error as Error).message}.`,
    ...(remedy === undefined ? {} : { remedy }),
    cause: error,
  });
}
