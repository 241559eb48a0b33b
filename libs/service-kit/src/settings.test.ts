import { describe, expect, test } from 'vitest';
import { logLevelSetting } from './log-level.ts';
import { describeSettings, hostAndPort, loadSettings, text, wholeNumber } from './settings.ts';

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

test('the help names each setting with its meaning, and its default or that it is required', () => {
  expect(describeSettings('a-service', 'does a thing.', shape)).toBe(`a-service: does a thing.

Settings, from the environment:
  A_DATABASE
      Where the rows are (required)
  A_LISTEN
      Address that is served (default: 127.0.0.1:7101)
  A_PORT
      Port for clients (default: 1688)
  AN_ADDRESS
      Address that clients reach (default: none)
  A_LOG_LEVEL
      What is logged on standard error: debug, info, warn, error, silent (default: info)
`);
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
