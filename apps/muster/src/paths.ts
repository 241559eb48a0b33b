import { createHash } from 'node:crypto';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Longest path of a Unix socket that every system takes. */
const longestSocketPath = 100;

/** Where `muster serve` keeps its data unless told: `$XDG_DATA_HOME/muster`, else `~/.local/share/muster`. */
export function defaultDataDirectory(): string {
  return process.env.MUSTER_DATA || join(process.env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'muster');
}

/** The file with the key-encryption key of a site's host, in the site's data directory. */
export function hostKeySecretFile(dataDirectory: string): string {
  return join(dataDirectory, 'host-key.secret');
}

/** Where the vendors are kept that this user's muster commands believe. */
export function trustedVendorsDirectory(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'muster', 'trusted-vendors');
}

/** The socket by which commands reach the `muster serve` of a data directory. */
export function socketPath(dataDirectory: string): string {
  const directory = resolve(dataDirectory);
  const beside = join(directory, 'muster.sock');
  if (Buffer.byteLength(beside) <= longestSocketPath) return beside;
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  return join(tmpdir(), `muster-${name}.sock`);
}
