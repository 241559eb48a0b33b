import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { MusterError } from '@muster/product-groups';
import { secretFile } from '@muster/service-kit';
import pg from 'pg';
import { environmentWith } from './environment.ts';
import type { Guard } from './guard.ts';
import { ManagedProcess } from './managed-process.ts';
import { loopback } from './ports.ts';
import type { PostgresqlProcess } from './stack.ts';

const databases = ['counting', 'policy'] as const;
type DatabaseName = (typeof databases)[number];

const superuser = 'muster';

/** PostgreSQL refuses to run as root, so root hands it to this user: "nobody" on Linux. */
const unprivilegedUser = { uid: 65534, gid: 65534 };

/** Every replica keeps a pool of a few connections; a campaign adds replicas and onlookers. */
const maximumConnections = 200;

/** How PostgreSQL is run. */
export interface PostgresqlOptions {
  /** Where initdb and postgres are. */
  readonly programs: string;
  /** Of the stack. */
  readonly directory: string;
  readonly port: number;
  readonly logFile: string;
  readonly supervise: boolean;
  readonly guard: Guard;
}

/** A PostgreSQL server of the stack's own, with a database for each service that keeps one. Safe against power loss. */
export class Postgresql extends ManagedProcess implements PostgresqlProcess {
  readonly #options: PostgresqlOptions;
  readonly #password: string;

  constructor(options: PostgresqlOptions) {
    const { port, logFile, supervise, guard } = options;
    const password = passwordOf(options.directory);
    super({
      name: 'postgresql',
      kind: 'postgresql',
      address: { host: loopback, port },
      managementPort: undefined,
      logFile,
      command: {
        program: join(options.programs, 'postgres'),
        parameters: [
          ...['-D', dataDirectoryOf(options.directory), '-p', String(port)],
          ...settings({
            listen_addresses: loopback,
            unix_socket_directories: '',
            max_connections: maximumConnections,
            log_checkpoints: 'off',
          }),
        ],
        environment: environmentWith({}),
        ...owner(),
      },
      probe: () => answers(urlOf(port, password, 'postgres')),
      // "Fast shutdown": sessions are ended, and what is committed is written (postgres(1)).
      endSignal: 'SIGINT',
      hopelessCodes: [],
      supervise,
      guard,
    });
    this.#options = options;
    this.#password = password;
  }

  databaseUrl(database: DatabaseName): string {
    return urlOf(this.address.port, this.#password, database);
  }

  /** Makes the data directory, if there is none yet. Its parents must let the user through that PostgreSQL runs as. */
  async initialise(): Promise<void> {
    const { directory, programs } = this.#options;
    const data = dataDirectoryOf(directory);
    if (existsSync(data)) return;
    requirePassage(directory);
    // Half a data directory, of a start that was interrupted, never gets the name.
    const unfinished = `${data}.new`;
    const passwordFile = `${data}.password`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { mode: 0o700 });
    writeFileSync(passwordFile, this.#password, { mode: 0o600 });
    const { user } = owner();
    if (user !== undefined) for (const path of [unfinished, passwordFile]) chownSync(path, user.uid, user.gid);
    const parameters = ['-D', unfinished, '-U', superuser, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    try {
      await promisify(execFile)(
        join(programs, 'initdb'),
        [...parameters, '--encoding=UTF8', '--no-locale', '--no-sync'],
        {
          cwd: '/',
          env: { ...environmentWith({}) },
          ...user,
        },
      );
      renameSync(unfinished, data);
    } finally {
      rmSync(passwordFile);
    }
  }

  /** Makes the databases that are missing. */
  async createDatabases(): Promise<void> {
    const client = new pg.Client({ connectionString: urlOf(this.address.port, this.#password, 'postgres') });
    await client.connect();
    try {
      const { rows } = await client.query<{ datname: string }>('select datname from pg_database');
      for (const database of databases) {
        if (!rows.some(({ datname }) => datname === database)) await client.query(`create database ${database}`);
      }
    } finally {
      await client.end();
    }
  }
}

function dataDirectoryOf(directory: string): string {
  return join(directory, 'postgresql');
}

function passwordOf(directory: string): string {
  return Buffer.from(secretFile(join(directory, 'postgresql.secret'))).toString('hex');
}

function urlOf(port: number, password: string, database: string): string {
  return `postgres://${superuser}:${password}@${loopback}:${port}/${database}`;
}

function settings(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function owner(): { readonly user?: typeof unprivilegedUser } {
  return process.getuid?.() === 0 ? { user: unprivilegedUser } : {};
}

/** As root: whether another user gets through to a directory. */
function requirePassage(directory: string): void {
  if (owner().user === undefined) return;
  const othersMayEnter = 0o001;
  for (let each = directory; ; each = dirname(each)) {
    if ((statSync(each).mode & othersMayEnter) === 0) {
      throw new MusterError({
        code: 'DATA_DIRECTORY_UNUSABLE',
        message: `PostgreSQL does not run as root, and the user nobody may not enter ${each}.`,
        remedy: `Choose a directory outside of it, or let others enter it (chmod o+x ${each}).`,
      });
    }
    if (each === dirname(each)) return;
  }
}

/** Whether a server takes connections and answers. */
async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000, query_timeout: 1_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } finally {
    client.end().catch(() => undefined);
  }
}
