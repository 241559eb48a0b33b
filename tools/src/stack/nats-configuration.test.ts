import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { natsConfiguration } from './nats-configuration.ts';

const shipped = readFileSync(new URL('../../../deploy/nats/nats.conf', import.meta.url), 'utf8');
const storeDirectory = '/a directory/with "quotes"';

test('a server that knows every option gets the shipped ones, with the store of the stack', () => {
  const changed = natsConfiguration(shipped, { version: [2, 10], storeDirectory });
  expect(differences(changed)).toEqual([
    ['  store_dir: "/var/lib/nats/jetstream"', '  store_dir: "/a directory/with \\"quotes\\""'],
  ]);
});

test('an older server is not given what it refuses', () => {
  const changed = natsConfiguration(shipped, { version: [2, 9], storeDirectory });
  expect(shipped).toMatch(/^ *sync_interval: always$/m);
  expect(changed).not.toMatch(/^ *sync_interval/m);
  expect(changed.split('\n')).toHaveLength(shipped.split('\n').length - 1);
});

/** The lines that differ, of texts with as many lines. */
function differences(changed: string): (string | undefined)[][] {
  const lines = changed.split('\n');
  return shipped
    .split('\n')
    .map((line, index) => [line, lines[index]])
    .filter(([before, after]) => before !== after);
}
