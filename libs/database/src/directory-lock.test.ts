import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startProcess } from '../testing/child-process.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { lockDirectory } from './directory-lock.ts';

test('a directory that this process holds is not locked a second time, and the refusal names the holder', () => {
  const directory = temporaryDirectory();
  const lock = lockDirectory(directory);
  onTestFinished(() => lock.release());
  expect(() => lockDirectory(directory)).toThrow(
    expect.objectContaining({
      code: 'DATA_DIRECTORY_LOCKED',
      message: `The data directory ${directory} is in use by process ${process.pid}.`,
      remedy: expect.stringContaining('another data directory'),
    }),
  );
});

test('a refused attempt leaves the lock with its holder', () => {
  const directory = temporaryDirectory();
  const lock = lockDirectory(directory);
  for (let attempt = 0; attempt < 3; attempt += 1) expect(() => lockDirectory(directory)).toThrow(/in use/);
  lock.release();
  lockDirectory(directory).release();
});

test('a released directory is locked again at once, as often as wanted', () => {
  const directory = temporaryDirectory();
  for (let attempt = 0; attempt < 5; attempt += 1) lockDirectory(directory).release();
});

test('directories are locked apart from each other', () => {
  const locks = [lockDirectory(temporaryDirectory()), lockDirectory(temporaryDirectory())];
  for (const lock of locks) lock.release();
});

test('another process holds a directory until it is killed, which frees it at once', async () => {
  const directory = temporaryDirectory();
  const holder = startProcess('hold-lock.ts', directory);
  onTestFinished(() => holder.kill());
  expect(await holder.nextLine()).toBe('held');
  expect(() => lockDirectory(directory)).toThrow(
    expect.objectContaining({
      code: 'DATA_DIRECTORY_LOCKED',
      message: expect.stringMatching(`process ${holder.pid}\\.`),
    }),
  );
  await holder.kill();
  const lock = lockDirectory(directory);
  expect(() => lockDirectory(directory)).toThrow(new RegExp(`process ${process.pid}\\.`));
  lock.release();
});

test.each([
  ['is missing', (directory: string) => join(directory, 'missing')],
  [
    'is a file',
    (directory: string) => {
      const file = join(directory, 'file');
      writeFileSync(file, '');
      return file;
    },
  ],
  [
    'has a directory in the place of the lock file',
    (directory: string) => {
      mkdirSync(join(directory, 'lock.db'));
      return directory;
    },
  ],
  [
    'has a lock file of somebody else',
    (directory: string) => {
      writeFileSync(join(directory, 'lock.db'), 'This is no database. '.repeat(100));
      return directory;
    },
  ],
])('a directory that %s cannot be locked, and the refusal names it', (_, prepare) => {
  const directory = prepare(temporaryDirectory());
  expect(() => lockDirectory(directory)).toThrow(
    expect.objectContaining({
      code: 'DATA_DIRECTORY_UNUSABLE',
      message: expect.stringMatching(new RegExp(`^The data directory ${directory} cannot be locked: [^.]+\\.$`)),
    }),
  );
});
