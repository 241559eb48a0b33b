import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { MusterError } from '@muster/product-groups';

/**
 * Reads 32 secret bytes from a file, which is made at the first use, readable by its owner alone.
 *
 * @throws MusterError `DATA_DIRECTORY_UNUSABLE` when the file cannot be written or read, or holds something else.
 */
export function secretFile(path: string): Uint8Array {
  try {
    writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new MusterError({
        code: 'DATA_DIRECTORY_UNUSABLE',
        message: `The secret file ${path} cannot be made: ${(error as Error).message}.`,
        cause: error,
      });
    }
  }
  return readSecretFile(path);
}

/**
 * Reads 32 secret bytes from a file that is there.
 *
 * @throws MusterError `DATA_DIRECTORY_UNUSABLE` when the file cannot be read, or holds something else.
 */
export function readSecretFile(path: string): Uint8Array {
  const text = read(path);
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new MusterError({
      code: 'DATA_DIRECTORY_UNUSABLE',
      message: `The secret file ${path} does not hold 64 hexadecimal digits.`,
      remedy: 'Restore it from a backup; what it encrypts cannot be read without it.',
    });
  }
  return Buffer.from(text, 'hex');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new MusterError({
      code: 'DATA_DIRECTORY_UNUSABLE',
      message: `The secret file ${path} cannot be read: ${(error as Error).message}.`,
      cause: error,
    });
  }
}
