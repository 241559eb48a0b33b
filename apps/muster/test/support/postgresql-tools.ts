import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { atTheEnd } from './cleanup.ts';

/** What a backup needs of PostgreSQL beside the server. */
const programs = ['initdb', 'pg_ctl', 'pg_dump', 'pg_restore', 'pg_basebackup', 'pg_verifybackup'];

/** Where Debian keeps PostgreSQL's programs, which are not on the PATH there, newest supported version last. */
const places = [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/lib/postgresql/15/bin',
  '/usr/lib/postgresql/17/bin',
];

/** PostgreSQL refuses to run as root: "nobody" on Linux. */
const unprivilegedUser = 65534;

/** PostgreSQL's own programs in a directory of their own, run by a user that may run them. */
export class PostgresqlTools {
  readonly directory: string;
  readonly #bin: string;
  readonly #user = process.getuid?.() === 0 ? { uid: unprivilegedUser, gid: unprivilegedUser } : {};

  private constructor(bin: string, directory: string) {
    this.#bin = bin;
    this.directory = directory;
    this.#give(directory);
  }

  /**
   * Finds the programs.
   *
   * @throws Error that says what to install: a backup that was not tried is none, so nothing is skipped.
   */
  static find(): PostgresqlTools {
    const bin = places.find((place) => programs.every((program) => existsSync(join(place, program))));
    if (bin === undefined) {
      throw new Error(
        `The tests of backups need ${programs.join(', ')} of PostgreSQL 15 or newer, on the PATH or in /usr/lib/postgresql/15/bin: install the Debian package postgresql-15.`,
      );
    }
    const directory = mkdtempSync(join(tmpdir(), 'muster-backup-'));
    atTheEnd(() => rmSync(directory, { recursive: true, force: true }));
    return new PostgresqlTools(bin, directory);
  }

  /** A directory that the programs may write. */
  makeDirectory(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { mode: 0o700 });
    this.#give(path);
    return path;
  }

  /** Runs a program to its end. @throws Error with what it said. */
  run(program: string, ...parameters: string[]): void {
    execFileSync(join(this.#bin, program), parameters, { ...this.#user, cwd: this.directory, stdio: 'pipe' });
  }

  /** Makes a cluster without anything in it. */
  makeCluster(name: string): string {
    const data = join(this.directory, name);
    this.run('initdb', '-D', data, '-U', 'muster', '--auth=trust', '--encoding=UTF8', '--no-sync');
    return data;
  }

  /** Starts a server on a cluster, with settings of its own. It is stopped at the end of the file at the latest. */
  async start(data: string, settings: Readonly<Record<string, string>> = {}) {
    const port = await freePort();
    const all = { listen_addresses: '127.0.0.1', unix_socket_directories: this.directory, ...settings };
    const options = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`);
    const control = (...parameters: string[]) => {
      // The server keeps what it inherits, so it must not inherit a pipe that would be waited for.
      execFileSync(join(this.#bin, 'pg_ctl'), ['-D', data, '-w', ...parameters], {
        ...this.#user,
        cwd: this.directory,
        stdio: 'ignore',
      });
    };
    control('-l', `${data}.log`, '-o', `-p ${port} ${options.join(' ')}`, 'start');
    let isRunning = true;
    const stop = () => {
      if (isRunning) control('-m', 'fast', 'stop');
      isRunning = false;
    };
    atTheEnd(stop);
    return { url: `postgres://muster@127.0.0.1:${port}/postgres`, port, stop };
  }

  #give(path: string): void {
    if (this.#user.uid !== undefined) chownSync(path, this.#user.uid, this.#user.gid);
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
