import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { openCarriedHost } from '@muster/licensing-policy';
import { MusterError } from '@muster/product-groups';
import { readSecretFile } from '@muster/service-kit';
import { hostKeySecretFile } from './paths.ts';

/** The key-encryption key of a host, from its file. */
export interface HostKeySecret {
  readonly path: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/**
 * Reads the secret file that was named.
 *
 * @throws MusterError `INPUT_INVALID` when it cannot be read or holds something else.
 */
export function namedHostKeySecret(path: string): HostKeySecret {
  try {
    return { path, key: readSecretFile(path) };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: error.message,
      remedy: 'Name the host-key.secret of the site that was exported by --host-key-secret-file.',
      cause: error,
    });
  }
}

/**
 * The secret of a data directory; undefined when it has none.
 *
 * @throws MusterError `DATA_DIRECTORY_UNUSABLE` when the file cannot be read or holds something else.
 */
export function keptHostKeySecret(dataDirectory: string): HostKeySecret | undefined {
  const path = hostKeySecretFile(dataDirectory);
  return existsSync(path) ? { path, key: readSecretFile(path) } : undefined;
}

/**
 * Checks that a secret opens the host's private key as an export carries it.
 *
 * @param row the JSON text of the host's row.
 * @throws MusterError `INPUT_INVALID` when it does not.
 */
export function checkHostKeySecret(row: string, secret: HostKeySecret): void {
  try {
    openCarriedHost(row, secret.key);
  } catch (error) {
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: `The secret file ${secret.path} does not open the host's private key: it belongs to another site.`,
      remedy: 'Name the host-key.secret of the site that was exported by --host-key-secret-file.',
      cause: error,
    });
  }
}

/**
 * Puts a secret where a site of the data directory looks for it.
 *
 * @returns takes it away again, when it was not there before.
 * @throws MusterError `INPUT_INVALID` when the directory holds another secret.
 */
export function keepHostKeySecret(dataDirectory: string, secret: HostKeySecret): () => void {
  const kept = keptHostKeySecret(dataDirectory);
  if (kept === undefined) {
    const path = hostKeySecretFile(dataDirectory);
    writeFileSync(path, `${Buffer.from(secret.key).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
    return () => rmSync(path, { force: true });
  }
  if (Buffer.from(kept.key).equals(secret.key)) return () => undefined;
  throw new MusterError({
    code: 'INPUT_INVALID',
    message: `${kept.path} is there and holds another secret than ${secret.path}.`,
    remedy: `Move ${kept.path} away if nothing else needs it: a site without keys does not.`,
  });
}
