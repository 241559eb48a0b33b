import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { secretFile } from './secret-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-secret-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('a secret is made at the first use, for its owner alone, and read again from then on', () => {
  const path = join(directory, 'host-key.secret');
  const made = secretFile(path);
  expect(made).toHaveLength(32);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const content = readFileSync(path, 'utf8');
  expect(content).toBe(`${Buffer.from(made).toString('hex')}\n`);
  expect(secretFile(path)).toEqual(made);
  expect(readFileSync(path, 'utf8')).toBe(content);
});

test('no two secrets are the same', () => {
  const secrets = Array.from({ length: 20 }, (_, n) => secretFile(join(directory, `${n}.secret`)));
  expect(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size).toBe(20);
});

test.each([
  ['is empty', ''],
  ['was cut', 'ab'.repeat(31)],
  ['is too long', 'ab'.repeat(33)],
  ['is in capitals', 'AB'.repeat(32)],
  ['is no hexadecimal text', 'xy'.repeat(32)],
  ['has two lines', `${'ab'.repeat(32)}\n${'ab'.repeat(32)}`],
])('a secret that %s is refused, left as it is, and not repeated in the message', (name, content) => {
  const path = join(directory, name);
  writeFileSync(path, content);
  let refusal: unknown;
  try {
    secretFile(path);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toMatchObject({
    code: 'DATA_DIRECTORY_UNUSABLE',
    message: `The secret file ${path} does not hold 64 hexadecimal digits.`,
    remedy: expect.stringContaining('backup'),
  });
  expect(readFileSync(path, 'utf8')).toBe(content);
});

test('a place where no file can be made or read is refused', () => {
  expect(() => secretFile(join(directory, 'missing', 'secret'))).toThrow(
    expect.objectContaining({ code: 'DATA_DIRECTORY_UNUSABLE', message: expect.stringContaining('cannot be made') }),
  );
  mkdirSync(join(directory, 'taken'));
  expect(() => secretFile(join(directory, 'taken'))).toThrow(
    expect.objectContaining({ code: 'DATA_DIRECTORY_UNUSABLE', message: expect.stringContaining('cannot be read') }),
  );
});
