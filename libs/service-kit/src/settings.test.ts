import { describe, expect, test } from 'vitest';
import { logLevelSetting } from './log-level.ts';
import {
  describeSettings,
  hostAndPort,
  list,
  loadSettings,
  onOrOff,
  secret,
  serviceAddress,
  text,
  wholeNumber,
} from './settings.ts';
import { parseSettingsFile } from './settings-file.ts';

const shape = {
  A_DATABASE: text().describe('Where the rows are'),
  A_LISTEN: hostAndPort().default('127.0.0.1:7101').describe('Address that is served'),
  A_PORT: wholeNumber(0, 65_535).default(1688).describe('Port for clients'),
  AN_ADDRESS: text().optional().describe('Address that clients reach'),
  A_LOG_LEVEL: logLevelSetting,
};

const load = (environment: Record<string, string>) => loadSettings(shape, { environment });

describe('settings from the environment', () => {
  test('are parsed, and what is left out or empty has its default', () => {
    expect(load({ A_DATABASE: '/data', A_PORT: '0', A_LISTEN: '', UNKNOWN: 'is no matter' })).toEqual({
      A_DATABASE: '/data',
      A_LISTEN: '127.0.0.1:7101',
      A_PORT: 0,
      AN_ADDRESS: undefined,
      A_LOG_LEVEL: 'info',
    });
  });

  test('are refused with every problem at once, each by the name of its setting', () => {
    expect(() => load({ A_LISTEN: 'nowhere', A_PORT: '65536', A_LOG_LEVEL: 'loud', AN_ADDRESS: '::' })).toThrow(
      expect.objectContaining({
        code: 'SETTING_INVALID',
        message:
          'The settings are wrong: A_DATABASE: it is missing; A_LISTEN: it is HOST:PORT; ' +
          'A_PORT: it is a whole number from 0 to 65535; A_LOG_LEVEL: it is one of debug, info, warn, error, silent.',
        remedy: expect.stringContaining('--help'),
      }),
    );
  });

  test('a required setting that is set to nothing is missing', () => {
    expect(() => load({ A_DATABASE: '' })).toThrow('A_DATABASE: it is missing');
  });
});

describe('the help', () => {
  test('names each setting with its type, its meaning, and its default or that it is required', () => {
    expect(
      describeSettings('a-service', 'does a thing.', { ...shape, A_SECRET: secret().optional().describe('Word') }),
    ).toBe(`a-service: does a thing.

Usage: a-service [--config FILE] [--check] [--help]

  --config FILE  YAML file with settings by these names; the environment goes first. Also
                 MUSTER_CONFIG_FILE
  --check        read the settings, say what is wrong with them, and end
  --help         this text

Settings, from the environment or the file:
  A_DATABASE
      text; required
      Where the rows are.
  A_LISTEN
      HOST:PORT; default: 127.0.0.1:7101
      Address that is served.
  A_PORT
      whole number from 0 to 65535; default: 1688
      Port for clients.
  AN_ADDRESS
      text; default: none
      Address that clients reach.
  A_LOG_LEVEL
      debug, info, warn, error, silent; default: info
      What is logged on standard error at least.
  A_SECRET
      text; default: none
      Word. Or A_SECRET_FILE: a file that holds it.

Exit codes: 0 stopped as asked, 1 it could not start, failed or drained for too long, 2 wrong
settings.
`);
  });

  test('has no line of more than 100 characters, and breaks no word', () => {
    const words = Array.from({ length: 80 }, (_, n) => 'x'.repeat((n * 7) % 23 || 1));
    const help = describeSettings('a-service', 'does.', { A: text().describe(words.join(' ')) });
    expect(Math.max(...help.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(100);
    expect(help.replace(/\s+/g, ' ')).toContain(words.join(' '));
  });
});

describe('a secret', () => {
  const secrets = { A_DATABASE: secret().describe('Where'), A_PORT: wholeNumber(0, 9).default(1).describe('Port') };
  const read = (environment: Record<string, string>, yaml = '') =>
    loadSettings(secrets, {
      environment,
      file: parseSettingsFile(yaml, 'site.yaml'),
      readFile: (path) => {
        if (path === '/run/secret') return ' postgres://host/a\n';
        if (path === '/run/empty') return '\n';
        throw new Error('ENOENT: no such file or directory');
      },
    }).A_DATABASE;

  test('may lie in a file of its own, which the environment or the file names', () => {
    expect(read({ A_DATABASE_FILE: '/run/secret' })).toBe('postgres://host/a');
    expect(read({}, 'A_DATABASE_FILE: /run/secret')).toBe('postgres://host/a');
    expect(read({ A_DATABASE: 'direct' }, 'A_DATABASE_FILE: /run/secret')).toBe('direct');
    expect(read({ A_DATABASE_FILE: '/run/secret' }, 'A_DATABASE: from the file')).toBe('postgres://host/a');
    expect(read({ A_DATABASE: '', A_DATABASE_FILE: '/run/secret' })).toBe('postgres://host/a');
  });

  test.each<[string, Record<string, string>, string, string]>([
    [
      'given twice',
      { A_DATABASE: 'a', A_DATABASE_FILE: '/b' },
      '',
      'A_DATABASE: it is given twice, directly and by A_DATABASE_FILE',
    ],
    [
      'given twice in the file',
      {},
      'A_DATABASE: a\nA_DATABASE_FILE: /b',
      'A_DATABASE (site.yaml:2:1): it is given twice, directly and by A_DATABASE_FILE',
    ],
    [
      'in a file that is not there',
      { A_DATABASE_FILE: '/c' },
      '',
      'A_DATABASE (in /c): the file cannot be read: ENOENT: no such file or directory',
    ],
    ['in a file that is empty', { A_DATABASE_FILE: '/run/empty' }, '', 'A_DATABASE (in /run/empty): it is missing'],
  ])('that is %s is refused', (_, environment, yaml, problem) => {
    expect(() => read(environment, yaml)).toThrow(`The settings are wrong: ${problem}.`);
  });

  test('is never in a message', () => {
    const values = { A_DATABASE: 'hunter2', A_DATABASE_FILE: '/b', A_PORT: 'x' };
    expect(() => read(values)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hunter2') }));
  });

  test('alone may lie in a file: other settings have no _FILE', () => {
    expect(() => read({ A_DATABASE: 'a' }, 'A_PORT_FILE: /b')).toThrow(
      'A_PORT_FILE (site.yaml:1:1): there is no such setting.',
    );
  });
});

describe('the address of a service', () => {
  test.each(['counting:7101', '10.0.0.1:7101,10.0.0.2:7101', ' 10.0.0.1:1 , 10.0.0.2:1 ', '[::1]:1,[::2]:1'])(
    'may be %j',
    (given) => {
      expect(serviceAddress().safeParse(given).success).toBe(true);
    },
  );

  test.each<[string, string]>([
    ['counting', 'it is HOST:PORT, or several with IP addresses, separated by commas'],
    ['a:1,', 'it is HOST:PORT, or several with IP addresses, separated by commas'],
    ['a:1,b:1', 'several addresses have IP addresses, all of one family'],
    ['10.0.0.1:1,[::1]:1', 'several addresses have IP addresses, all of one family'],
  ])('may not be %j', (given, message) => {
    expect(serviceAddress().safeParse(given).error?.issues[0]?.message).toBe(message);
  });
});

test('a list is split at its commas', () => {
  expect(list('names').parse(' a, b ,,c')).toEqual(['a', 'b', 'c']);
});

test('a switch is on or off, and nothing else', () => {
  expect(['on', 'off', 'true', 'ON', ''].map((given) => onOrOff().safeParse(given).success)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

describe('a whole number', () => {
  test.each(['5', '05', '17'])('from 5 to 17 may be %s', (given) => {
    expect(wholeNumber(5, 17).parse(given)).toBe(Number(given));
  });

  test.each(['4', '18', '-5', '5.0', '5e0', '0x7', ' 7', '7 ', '٧', 'seven', '9999999999999'])(
    'from 5 to 17 may not be %j',
    (given) => {
      expect(
        wholeNumber(5, 17)
          .safeParse(given)
          .error?.issues.map(({ message }) => message),
      ).toEqual(expect.arrayContaining(['it is a whole number from 5 to 17']));
    },
  );
});

describe('an address to connect to or to serve', () => {
  test.each(['127.0.0.1:7101', 'counting.muster.svc:0', '[::1]:65535', '[2001:db8::1]:1688'])('may be %s', (given) => {
    expect(hostAndPort().parse(given)).toBe(given);
  });

  test.each([
    '',
    '7101',
    ':7101',
    'host:',
    'host:port',
    'host:65536',
    '::1:7101',
    '[::1]',
    'a host:1',
    'http://host:1',
  ])('may not be %j', (given) => {
    expect(hostAndPort().safeParse(given).success).toBe(false);
  });
});
