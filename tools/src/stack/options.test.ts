import { expect, test } from 'vitest';
import { help, parseOptions } from './options.ts';

test('without options there are two gateways from port 1688 on, two countings and a policy, until Ctrl-C', () => {
  expect(parseOptions([])).toEqual({
    directory: undefined,
    gatewayPort: 1688,
    gateways: 2,
    countings: 2,
    policies: 1,
    seconds: undefined,
    json: false,
    help: false,
  });
});

test.each([
  [['--gateway-port', '65536'], '--gateway-port is a whole number from 0 to 65535, not 65536.'],
  [['--gateways', '0'], '--gateways is a whole number from 1 to 16, not 0.'],
  [['--seconds', '1.5'], '--seconds is a whole number from 1 to 86400, not 1.5.'],
  [['--directory', ''], '--directory names a directory.'],
])('%j is refused with its range', (parameters, message) => {
  expect(() => parseOptions(parameters)).toThrow(message);
});

test('what is unknown is refused, and every option is in the help', () => {
  expect(() => parseOptions(['--nothing'])).toThrow("Unknown option '--nothing'");
  for (const name of ['directory', 'gateway-port', 'gateways', 'countings', 'policies', 'seconds', 'json', 'help']) {
    expect(help).toMatch(new RegExp(`^  --${name} `, 'm'));
  }
});
