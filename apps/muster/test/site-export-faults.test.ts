import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { lockDirectory } from '@muster/database';
import { type PostgresqlServer, startPostgresql } from '@muster/database/testing';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { type HostKeySecret, keptHostKeySecret } from '../src/host-key-secret.ts';
import { exportSite } from '../src/site-export.ts';
import { openExportOutput } from '../src/site-export-output.ts';
import { verifyExport } from '../src/site-import.ts';
import { atTheEnd, temporaryDirectory, until } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import { servers } from './support/machines.ts';
import { MusterUser } from './support/muster-process.ts';
import {
  emptyDatabase,
  exportTo,
  importTo,
  linesOf,
  migrateSite,
  noSignal,
  onDatabase,
  rowsOf,
  writeLines,
  writeSealed,
} from './support/site-files.ts';
import { startTestSite } from './support/test-site.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const user = new MusterUser();
const directory = temporaryDirectory();
const small = join(directory, 'small.ndjson.gz');
const large = join(directory, 'large.ndjson.gz');
const written = (name: string) => join(directory, `${name}.ndjson.gz`);
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

let server: PostgresqlServer;
let url: string;
let secret: HostKeySecret;
let bytes: Buffer;
let counts: Readonly<Record<string, number>>;

/** Rows as a large site has them: made by the database, because machines that ask one by one would take minutes. */
const manyMachines = {
  name: 'test.many_machines',
  text: `
    insert into counting.machine
    select 'windows', gen_random_uuid(), 'vista-business', 'physical', 'MACHINE-' || n, md5(n::text) || md5(n::text),
           true, now(), now(), 1, 'GRANTED', null
    from generate_series(1, 10000) as n`,
};
const manyLogRows = {
  name: 'test.many_log_rows',
  text: `
    insert into counting.activation_log
      (activation_id, occurred_at, gateway_id, remote_address, application, edition, cmid, machine_class, machine_name,
       fingerprint, licence_status, client_version, code, count, threshold, first_seen, cloned)
    select gen_random_uuid(), now(), 'gateway-00000000', '192.0.2.1', 'windows', 'vista-business', gen_random_uuid(),
           'physical', 'MACHINE-' || n, md5(n::text) || md5(n::text), 'unlicensed', 'acceptance/1.0', 'GRANTED', 50, 25,
           true, false
    from generate_series(1, 60000) as n`,
};

beforeAll(async () => {
  server = await startPostgresql();
  atTheEnd(() => server.stop());
  url = await emptyDatabase(server);
  const data = join(directory, 'site');
  const site = await startTestSite({ databaseUrl: url, dataDirectory: data });
  await site.askEach(servers(6));
  await site.site.stop();
  const kept = keptHostKeySecret(data);
  if (kept === undefined) throw new Error('the site has no secret');
  secret = kept;
  ({ rows: counts } = await exportTo(small, url));
  bytes = readFileSync(small);
  await onDatabase(url, (database) =>
    database.transaction(async (session) => {
      await session.query(manyMachines);
      await session.query(manyLogRows);
    }),
  );
  await exportTo(large, url);
});

/** How many rows of a site a database has; none when it has no schema. */
async function contents(place: string): Promise<number> {
  return onDatabase(place, async (database) => {
    await migrateSite(database);
    const [row] = await database.query<{ rows: number }>({
      name: 'test.contents',
      text: `select (select count(*) from counting.machine) + (select count(*) from counting.activation_log)
                    + (select count(*) from policy.host) + (select count(*) from policy.kms_key) as rows`,
    });
    return row?.rows ?? -1;
  });
}

const verify = (content: Buffer | string) => verifyExport(Readable.from([content]), secret, noSignal);

describe('a file that is not as it was written is found out', () => {
  test('whole, it is accepted', async () => {
    expect(await verify(bytes)).toMatchObject({ rows: counts });
  });

  test('when it is cut, wherever that is', async () => {
    const lengths = Array.from({ length: 60 }, (_, n) => Math.floor((n * bytes.length) / 60));
    for (const length of [...lengths, bytes.length - 1]) {
      await expect(verify(bytes.subarray(0, length)), `cut after ${length} bytes`).rejects.toMatchObject({
        code: 'DOCUMENT_INVALID',
        message: expect.stringMatching(/(empty|cut|damaged).*[^.]\.$/),
      });
    }
  });

  test('when a byte of it is another one, wherever that is', async () => {
    // Bytes 4 to 9 tell the time and the system of the compression, which nobody reads.
    const places = Array.from({ length: 160 }, (_, n) => 10 + Math.floor((n * (bytes.length - 10)) / 160));
    for (const place of [0, 1, 2, 3, ...places, bytes.length - 1]) {
      const flipped = Buffer.from(bytes);
      flipped[place] = (flipped[place] ?? 0) ^ (1 << (place % 8));
      await expect(verify(flipped), `byte ${place}`).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
    }
  });

  const changes: readonly [what: string, change: (lines: string[]) => string[], message: RegExp][] = [
    ['a row is missing', (lines) => lines.toSpliced(8, 1), /checksum/],
    ['a row is there twice', (lines) => lines.toSpliced(8, 0, lines[8] ?? ''), /checksum/],
    ['a value is another one', (lines) => lines.map((line) => line.replace('MACHINE-', 'MACHINA-')), /checksum/],
    ['the header is another one', (lines) => lines.map((line) => line.replace('"0.1.0"', '"0.1.1"')), /checksum/],
    ['its last line is missing', (lines) => lines.slice(0, -1), /cut: its last line is missing/],
    ['there is more after its last line', (lines) => [...lines, '{}'], /goes on/],
    ['a row is of no table', (lines) => lines.toSpliced(3, 0, '{"table":"counting.other","row":{}}'), /Line 4/],
    ['a row comes after those of later tables', (lines) => lines.toSpliced(-1, 0, lines[1] ?? ''), /is not a row/],
    ['its last line is damaged', (lines) => lines.with(-1, '{"end":{"rows":'), /last line of the file is damaged/],
    ['its header is incomplete', (lines) => lines.with(0, '{"format":"muster-site","version":1}'), /incomplete/],
    ['it is of another version', (lines) => lines.with(0, '{"format":"muster-site","version":2}'), /has version 2/],
    ['it is something else', () => ['{"name":"package"}'], /not an export of a site/],
    ['it is nothing', () => [], /not an export of a site|empty/],
  ];
  test.each(changes)('when %s', async (_, change, message) => {
    await expect(verify(gzipSync(`${change(linesOf(small)).join('\n')}\n`))).rejects.toMatchObject({
      code: 'DOCUMENT_INVALID',
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ['is no compressed data', 'This is no export.\n'],
    ['has a line that does not end', gzipSync(Buffer.alloc(40 * 1024 * 1024))],
    ['ends within a line', gzipSync('{"format":')],
  ])('when it %s', async (_, content) => {
    await expect(verify(content)).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
  });

  test('when its checksum fits but not its number of rows', async () => {
    const [header = ''] = linesOf(small);
    const wrong = { ...counts, 'counting.machine': (counts['counting.machine'] ?? 0) + 1 };
    const file = writeSealed(written('miscounted'), JSON.parse(header), rowsOf(small), wrong);
    await expect(verify(readFileSync(file))).rejects.toMatchObject({ message: expect.stringContaining('says it has') });
  });
});

describe('an import that fails leaves the target empty', () => {
  test.each([
    ['a file whose checksum is wrong', () => small, (lines: string[]) => lines.with(-2, lines.at(-3) ?? '')],
    ['a file that is cut', () => large, (lines: string[]) => lines.slice(0, 12_000)],
  ])('of %s', async (_, file, change) => {
    const target = await emptyDatabase(server);
    const changed = writeLines(written('changed'), change(linesOf(file())));
    await expect(importTo(target, changed, secret)).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
    expect(await contents(target)).toBe(0);
  });

  test('of a row that no table takes', async () => {
    const target = await emptyDatabase(server);
    const rows = rowsOf(small).map((line) => line.replace('"machine_class":"physical"', '"machine_class":"imaginary"'));
    const file = writeSealed(written('odd'), JSON.parse(linesOf(small)[0] ?? ''), rows, counts);
    await expect(importTo(target, file, secret)).rejects.toMatchObject({
      code: 'DOCUMENT_INVALID',
      message: expect.stringContaining('A row of counting.machine in the file does not fit'),
    });
    expect(await contents(target)).toBe(0);
  });

  test('of a newer release, or with a column that this one does not know', async () => {
    const header = JSON.parse(linesOf(small)[0] ?? '');
    const newer = { ...header, schemas: { ...header.schemas, counting: '9999_later' } };
    const target = await emptyDatabase(server);
    await expect(
      importTo(target, writeSealed(written('newer'), newer, rowsOf(small), counts), secret),
    ).rejects.toMatchObject({ code: 'DOCUMENT_INVALID', message: expect.stringContaining('9999_later') });
    const [host, ...others] = header.tables;
    const wider = { ...header, tables: [{ ...host, columns: [...host.columns, 'shoe_size'] }, ...others] };
    await expect(
      importTo(target, writeSealed(written('wider'), wider, rowsOf(small), counts), secret),
    ).rejects.toMatchObject({ code: 'DOCUMENT_INVALID', message: expect.stringContaining('policy.host.shoe_size') });
    expect(await contents(target)).toBe(0);
  });

  test('a column that an older release did not have gets its default', async () => {
    const header = JSON.parse(linesOf(small)[0] ?? '');
    const tables = header.tables.map((each: { name: string; columns: string[] }) =>
      each.name === 'counting.outbox_cursor' ? { ...each, columns: ['consumer', 'last_id'] } : each,
    );
    const target = await emptyDatabase(server);
    await importTo(target, writeSealed(written('older'), { ...header, tables }, rowsOf(small), counts), secret);
    const exported = written('from-older');
    await exportTo(exported, target);
    expect(rowsOf(exported)).toEqual(rowsOf(small));
  });

  test('of the secret of another site: it is refused before anything is read into the target', async () => {
    const wrong = join(directory, 'wrong.secret');
    writeFileSync(wrong, `${'0'.repeat(64)}\n`);
    const target = join(directory, 'wrong-secret');
    const parameters = ['site', 'import', small, '--data', target];
    expect(await user.run([...parameters, '--host-key-secret-file', wrong])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /INPUT_INVALID: The secret file .*wrong\.secret does not open .* another site\. Name /,
      ),
    });
    expect(await user.run(parameters)).toMatchObject({ code: 2, stderr: expect.stringContaining('is missing') });
    expect(await user.run([...parameters, '--host-key-secret-file', small])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('64 hexadecimal digits'),
    });
    expect(existsSync(target)).toBe(false);
  });

  test('onto a site of its own: that one is left as it was', async () => {
    const before = await contents(url);
    expect(
      await user.run(['site', 'import', small, '--database', url, '--host-key-secret-file', secret.path]),
    ).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /SITE_NOT_EMPTY: The site in the database has KMS keys, machines, and an activation log of its own\. Import into /,
      ),
    });
    expect(await contents(url)).toBe(before);
  });
});

test('an embedded site that has nothing of its own is replaced, one with machines and one that runs are not', async () => {
  const target = await dataDirectory();
  const other = join(target, 'host-key.secret');
  writeFileSync(other, `${'1'.repeat(64)}\n`);
  const parameters = ['site', 'import', small, '--data', target, '--host-key-secret-file', secret.path];
  expect(await user.run(parameters)).toMatchObject({ code: 2, stderr: expect.stringContaining('another secret') });
  rmSync(other);
  const lock = lockDirectory(target);
  for (const command of [parameters, ['site', 'export', '--data', target]]) {
    expect(await user.run(command)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/DATA_DIRECTORY_LOCKED: .* is in use by process \d+\. Stop `muster serve` first/),
    });
  }
  lock.release();
  expect(await user.run(parameters)).toMatchObject({ code: 0 });
  expect(readFileSync(other, 'utf8').trim()).toBe(Buffer.from(secret.key).toString('hex'));
  expect(readdirSync(target)).not.toContain('site-import');
  expect(await user.run(parameters)).toMatchObject({ code: 1, stderr: expect.stringContaining('SITE_NOT_EMPTY') });
  const exported = written('replaced');
  await exportTo(exported, target);
  expect(rowsOf(exported)).toEqual(rowsOf(small));
});

/** A command that reads the first half of an export from standard input and waits for the rest. */
function startImport(...parameters: string[]): ChildProcess {
  const child = spawn(
    process.execPath,
    [main, 'site', 'import', '-', '--host-key-secret-file', secret.path, ...parameters],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  atTheEnd(() => child.kill('SIGKILL'));
  const content = readFileSync(large);
  child.stdin?.on('error', () => undefined);
  child.stdin?.write(content.subarray(0, content.length / 2));
  return child;
}

const openImports = {
  name: 'test.open_imports',
  text: `select pid from pg_stat_activity where datname = $1::text and state = 'idle in transaction' and backend_xid is not null`,
};

describe('in the middle of an import', () => {
  test.each([
    ['kill -9', 'SIGKILL', null],
    ['Ctrl-C', 'SIGINT', 130],
  ] as const)('%s leaves an empty PostgreSQL, into which it is imported again', async (_, signal, code) => {
    const target = await emptyDatabase(server);
    const name = new URL(target).pathname.slice(1);
    const child = startImport('--database', target);
    const ended = once(child, 'exit');
    await onDatabase(server.url, async (database) => {
      const open = async () => (await database.query(openImports, [name])).length;
      await until(async () => (await open()) === 1, 'the import waits within its transaction');
      child.kill(signal);
      expect((await ended)[0]).toBe(code);
      await until(async () => (await open()) === 0, 'the server has noticed the end');
    });
    expect(await contents(target)).toBe(0);
    await importTo(target, small, secret);
    expect(await contents(target)).toBeGreaterThan(12);
  });

  test('kill -9 leaves a data directory without a site, into which it is imported again', async () => {
    const target = join(directory, 'killed');
    const empty = sizeOf(join(await dataDirectory(), 'pglite', 'base'));
    const child = startImport('--data', target);
    const ended = once(child, 'exit');
    const staged = join(target, 'site-import', 'pglite', 'base');
    // Making a database takes a machine that is busy some seconds.
    await vi.waitFor(() => expect(sizeOf(staged)).toBeGreaterThan(empty + 1_000_000), {
      timeout: 60_000,
      interval: 20,
    });
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(join(target, 'pglite'))).toBe(false);
    const finished = await user.run(['site', 'export', '--data', target]);
    expect(finished).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no embedded database') });
    expect(await user.run(['site', 'import', small, '--data', target])).toMatchObject({ code: 0 });
    expect(readdirSync(target)).not.toContain('site-import');
    const exported = written('again');
    await exportTo(exported, target);
    expect(rowsOf(exported)).toEqual(rowsOf(small));
  });
});

/** Bytes of all files below a directory; 0 while there is none. */
function sizeOf(path: string): number {
  try {
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce(
        (sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
  } catch {
    return 0;
  }
}

describe('an export that cannot be written', () => {
  /** Runs an export whose standard output is something else than a pipe that is read. */
  async function exportInto(stdout: number | 'pipe', ...parameters: string[]) {
    const child = spawn(process.execPath, [main, 'site', 'export', '--database', url, ...parameters], {
      stdio: ['ignore', stdout, 'pipe'],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    child.stdout?.destroy();
    const [code] = await once(child, 'close');
    return { code, said };
  }

  test('says so when the disk is full, for a file and for standard output', async () => {
    const full = openSync('/dev/full', 'w');
    try {
      for (const { code, said } of [await exportInto(full), await exportInto(full, '--output', '/dev/full')]) {
        expect(said).toMatch(/OUTPUT_UNWRITABLE: .* could not be written to .*: ENOSPC.*\. Make room /);
        expect(code).toBe(1);
      }
    } finally {
      closeSync(full);
    }
  });

  test('says so when nobody reads it any more', async () => {
    const { code, said } = await exportInto('pipe');
    expect(said).toMatch(/OUTPUT_UNWRITABLE: .* to standard output: .*EPIPE/);
    expect(code).toBe(1);
  });

  test('says so when the directory is missing', async () => {
    const { code, said } = await exportInto('pipe', '--output', join(directory, 'nowhere', 'site.ndjson.gz'));
    expect(said).toMatch(/OUTPUT_UNWRITABLE: .*ENOENT/);
    expect(code).toBe(1);
  });

  test('leaves the file of before as it was, and nothing else', async () => {
    const file = written('precious');
    writeFileSync(file, 'the backup of yesterday');
    const interrupted = new AbortController();
    const exporting = onDatabase(url, (database) =>
      exportSite(
        { database, place: url, withoutLog: false, nowMs: 0, onProgress: () => interrupted.abort() },
        openExportOutput(file),
        file,
        interrupted.signal,
      ),
    );
    await expect(exporting).rejects.toMatchObject({ name: 'AbortError' });
    expect(readFileSync(file, 'utf8')).toBe('the backup of yesterday');
    expect(existsSync(`${file}.partial`)).toBe(false);
  });

  test('is readable by its owner alone when it could', () => {
    expect(statSync(large).mode & 0o777).toBe(0o600);
  });

  test('is not made where there is no site', async () => {
    const empty = await emptyDatabase(server);
    const file = written('none');
    await expect(exportTo(file, empty)).rejects.toMatchObject({
      code: 'DATABASE_UNUSABLE',
      message: expect.stringContaining('it has no schema policy'),
    });
    await onDatabase(empty, migrateSite);
    await expect(exportTo(file, empty)).rejects.toMatchObject({
      code: 'DATABASE_UNUSABLE',
      message: expect.stringContaining('it has no host yet'),
    });
    expect(existsSync(file)).toBe(false);
    expect(existsSync(`${file}.partial`)).toBe(false);
  });
});

describe('a site that is larger than the memory', () => {
  /** Less than the 40 MB of JSON that the rows make. */
  const heapMegabytes = 32;
  const mostResidentKilobytes = 220 * 1024;

  test.each([
    ['exported', () => ['export', '--database', url, '--output', written('bounded'), '--json']],
    [
      'imported',
      async () => [
        'import',
        large,
        ...['--database', await emptyDatabase(server), '--host-key-secret-file', secret.path, '--json'],
      ],
    ],
  ])('is %s a page at a time', async (_, parameters) => {
    const child = spawn(
      process.execPath,
      [`--max-old-space-size=${heapMegabytes}`, main, 'site', ...(await parameters())],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    let highest = 0;
    const watching = setInterval(() => {
      highest = Math.max(highest, highWaterMark(child.pid ?? 0));
    }, 25);
    const [code] = await once(child, 'close');
    clearInterval(watching);
    expect(code).toBe(0);
    expect(JSON.parse(output).rows['counting.activation_log']).toBeGreaterThan(60_000);
    expect(highest).toBeGreaterThan(40 * 1024);
    expect(highest).toBeLessThan(mostResidentKilobytes);
  });
});

/** The most resident memory that a process has had, in kB; 0 when it has ended. */
function highWaterMark(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
