import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { startProcess } from '../testing/child-process.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { lockDirectory } from './directory-lock.ts';
import { openDatabase } from './open-database.ts';
import { openPglite } from './pglite.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Making a database takes seconds, so it is made once, in a directory that is missing, and copied. */
const made = mkdtempSync(join(tmpdir(), 'muster-pglite-'));
const madeDirectory = join(made, 'a', 'new', 'one');

beforeAll(async () => {
  const database = await openDatabase(madeDirectory);
  await database.query({ name: 'test.create', text: 'create table number (n integer primary key)' });
  await database.query({ name: 'test.insert', text: 'insert into number values (0)' });
  await database.close();
});
afterAll(() => rmSync(made, { recursive: true, force: true }));

function copyOfDatabase(): string {
  const directory = temporaryDirectory();
  cpSync(madeDirectory, directory, { recursive: true });
  return directory;
}

const numbers = { name: 'test.numbers', text: 'select n from number order by n' };

test('what was committed in a directory survives kill -9, and nothing lies between', async () => {
  const directory = copyOfDatabase();
  const writer = startProcess('insert-until-killed.ts', directory);
  onTestFinished(() => writer.kill());
  for (let n = 1; n <= 50; n += 1) expect(await writer.nextLine()).toBe(String(n));
  await writer.kill();
  let acknowledged = 50;
  for (let line = await writer.nextLine(); line !== undefined; line = await writer.nextLine()) {
    acknowledged = Number(line);
  }
  const database = await openPglite({ directory });
  onTestFinished(() => database.close());
  const kept = (await database.query<{ n: number }>(numbers)).map(({ n }) => n);
  // The last insert may have been committed without being told.
  expect([acknowledged, acknowledged + 1]).toContain(kept.at(-1));
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => index));
});

test('a database keeps its rows, belongs to one at a time, and is closed once', async () => {
  const database = await openPglite({ directory: madeDirectory });
  expect(database.engine).toBe('pglite');
  await expect(openPglite({ directory: madeDirectory })).rejects.toMatchObject({ code: 'DATA_DIRECTORY_LOCKED' });
  expect(await database.query(numbers)).toEqual([{ n: 0 }]);
  await database.close();
  await expect(database.query(numbers)).rejects.toThrow();
  lockDirectory(madeDirectory).release();
});

test.each([
  ['of another version of PostgreSQL', (place: string) => writeFileSync(join(place, 'PG_VERSION'), '99\n')],
  ['with a cut control file', (place: string) => truncateSync(join(place, 'global', 'pg_control'), 100)],
  [
    'that is a file',
    (place: string) => {
      rmSync(place, { recursive: true });
      writeFileSync(place, 'This is no database.');
    },
  ],
])('a database %s is refused in one sentence, and the directory is left unlocked', async (_, damage) => {
  const directory = copyOfDatabase();
  damage(join(directory, 'pglite'));
  await expect(openPglite({ directory })).rejects.toMatchObject({
    code: 'DATABASE_UNUSABLE',
    message: expect.stringMatching(/^The embedded database in \S+ cannot be opened: (?!undefined).+[^.]\.$/),
    remedy: expect.stringContaining('backup'),
  });
  lockDirectory(directory).release();
});

test('a directory that cannot be made is refused', async () => {
  const file = join(temporaryDirectory(), 'file');
  writeFileSync(file, '');
  await expect(openPglite({ directory: join(file, 'data') })).rejects.toMatchObject({
    code: 'DATA_DIRECTORY_UNUSABLE',
    message: expect.stringContaining(file),
  });
});
