import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../testing/loopback.ts';
import { hostAndPort, list, loadSettings, text, wholeNumber } from './settings.ts';
import { parseSettingsFile, readSettingsFile } from './settings-file.ts';

const shape = {
  MUSTER_NAME: text().describe('Name'),
  MUSTER_LISTEN: hostAndPort().default('127.0.0.1:1').describe('Address'),
  MUSTER_PORT: wholeNumber(0, 65_535).default(1688).describe('Port'),
  MUSTER_SERVERS: list('names').default([]).describe('Servers'),
};

const load = (yaml: string, environment: Record<string, string> = {}, check?: () => string[]) =>
  loadSettings(shape, { environment, file: parseSettingsFile(yaml, 'site.yaml'), ...(check && { check }) });

describe('a configuration file', () => {
  test('gives settings, as texts, numbers and lists', () => {
    expect(
      load('# A comment\nMUSTER_NAME: "a: b"\nMUSTER_PORT: 0080\nMUSTER_SERVERS:\n  - nats://a:1\n  - nats://b:2\n'),
    ).toEqual({
      MUSTER_NAME: 'a: b',
      MUSTER_LISTEN: '127.0.0.1:1',
      MUSTER_PORT: 80,
      MUSTER_SERVERS: ['nats://a:1', 'nats://b:2'],
    });
  });

  test('takes texts as they stand: nothing becomes a number, a date or a switch', () => {
    for (const name of ['on', 'no', 'null', '1e3', '0x10', '2026-11-24', '010'])
      expect(load(`MUSTER_NAME: ${name}`).MUSTER_NAME).toBe(name);
  });

  test('comes after the environment', () => {
    const yaml = 'MUSTER_NAME: from the file\nMUSTER_PORT: 1';
    expect(load(yaml, { MUSTER_NAME: 'from the environment', MUSTER_PORT: '' })).toMatchObject({
      MUSTER_NAME: 'from the environment',
      MUSTER_PORT: 1,
    });
  });

  test.each(['', '# Nothing yet\n', '---\n'])('may be empty: %j', (yaml) => {
    expect(load(yaml, { MUSTER_NAME: 'a' })).toMatchObject({ MUSTER_PORT: 1688 });
  });

  test('counts a setting without a value as not set', () => {
    expect(() => load('MUSTER_NAME:\nMUSTER_PORT: ""')).toThrow(
      'The settings are wrong: MUSTER_NAME (site.yaml:1:1): it is missing.',
    );
  });
});

describe('what is wrong in it is told with its place:', () => {
  test.each<[string, string, string]>([
    [
      'a value',
      'MUSTER_NAME: a\n\nMUSTER_PORT: many',
      'MUSTER_PORT (site.yaml:3:1): it is a whole number from 0 to 65535',
    ],
    [
      'a name with a slip of the keys',
      'MUSTER_NAME: a\nMUSTER_PROT: 1',
      'MUSTER_PROT (site.yaml:2:1): there is no such setting, perhaps MUSTER_PORT is meant',
    ],
    ['a name of nothing', 'MUSTER_NAME: a\ncolour: red', 'colour (site.yaml:2:1): there is no such setting'],
    ['a mapping', 'MUSTER_NAME: { a: b }', 'MUSTER_NAME (site.yaml:1:1): it is a text, a number or a list of them'],
    [
      'a list in a list',
      'MUSTER_NAME: a\nMUSTER_SERVERS: [[a]]',
      'MUSTER_SERVERS (site.yaml:2:1): it is a text, a number or a list of them',
    ],
    [
      'an alias',
      'MUSTER_NAME: &a b\nMUSTER_SERVERS: *a',
      'MUSTER_SERVERS (site.yaml:2:1): it is a text, a number or a list of them',
    ],
    ['a text instead of a mapping', 'MUSTER_NAME', 'site.yaml: it is a mapping of settings to their values'],
    ['a list instead of a mapping', '- MUSTER_NAME: a', 'site.yaml: it is a mapping of settings to their values'],
  ])('%s', (_, yaml, problem) => {
    expect(() => load(yaml)).toThrow(new RegExp(`^The settings are wrong: (.*; )?${escaped(problem)}(; .*)?\\.$`));
  });

  test.each<[string, string, RegExp]>([
    ['a name that comes twice', 'MUSTER_NAME: a\nMUSTER_PORT: 1\nMUSTER_NAME: b', /^site\.yaml:3:1: .*unique/],
    ['a bracket that is not closed', 'MUSTER_NAME: [a\nMUSTER_PORT: 1', /^site\.yaml:\d+:\d+: /],
    ['a quote that is not closed', 'MUSTER_NAME: "a', /^site\.yaml:1:\d+: /],
    ['a tab as indentation', 'MUSTER_NAME:\n\t- a', /^site\.yaml:2:\d+: /],
    ['several documents', 'MUSTER_NAME: a\n---\nMUSTER_NAME: b', /^site\.yaml:\d+:\d+: /],
  ])('%s, and nothing follows from it', (_, yaml, problem) => {
    const refused = (): unknown => {
      try {
        return load(yaml, { MUSTER_PORT: 'many' }, () => ['something is missing from it']);
      } catch (error) {
        return (error as Error).message.replace('The settings are wrong: ', '');
      }
    };
    const problems = String(refused()).split('; ');
    expect(problems[0]).toMatch(problem);
    // What the file would have said is not known; what the environment says is.
    expect(problems.at(-1)).toBe('MUSTER_PORT: it is a whole number from 0 to 65535.');
    expect(problems).not.toContainEqual(expect.stringContaining('missing'));
  });

  test('and all of it at once', () => {
    const yaml = 'MUSTER_PORT: many\nMUSTER_LISTEN: nowhere\nMUSTER_NAMES: a\n';
    expect(() => load(yaml, { MUSTER_PORT: '70000' }, () => ['two settings exclude each other'])).toThrow(
      expect.objectContaining({
        code: 'SETTING_INVALID',
        message:
          'The settings are wrong: MUSTER_NAMES (site.yaml:3:1): there is no such setting, perhaps MUSTER_NAME is meant; ' +
          'MUSTER_NAME: it is missing; MUSTER_LISTEN (site.yaml:2:1): it is HOST:PORT; ' +
          'MUSTER_PORT: it is a whole number from 0 to 65535; two settings exclude each other.',
      }),
    );
  });
});

test('a file is read from the disk', () => {
  const path = join(temporaryDirectory(), 'site.yaml');
  writeFileSync(path, 'MUSTER_NAME: Größe\n');
  expect(readSettingsFile(path).entries.get('MUSTER_NAME')).toEqual({ text: 'Größe', place: `${path}:1:1` });
});

test.each(['missing', 'a directory'])('a file that is %s is refused', (kind) => {
  const directory = temporaryDirectory();
  chmodSync(directory, 0o700);
  const path = kind === 'missing' ? join(directory, 'site.yaml') : directory;
  expect(() => readSettingsFile(path)).toThrow(
    expect.objectContaining({
      code: 'SETTING_INVALID',
      message: expect.stringMatching(/^The configuration file .* cannot be read: E.*[^.]\.$/),
      remedy: expect.stringContaining('MUSTER_CONFIG_FILE'),
    }),
  );
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
